"""The time a request has left, and its split over the stages: grpc.aio does not pass deadlines on by itself."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class Timed(Protocol):
    """What knows how long its caller waits: a call's context."""

    def time_remaining(self) -> float | None:
        """Tell the seconds left; None where the caller set no deadline."""
        ...


FAIR_SECONDS = 1.0
"""Who does not answer within this time is to blame, whoever asked; of a more hurried caller no breaker must hear."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a monotonic clock."""

    at: float
    """Seconds on `clock`."""
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> Self:
        """Make the deadline that lies `seconds` ahead."""
        return cls(clock() + seconds, clock)

    @classmethod
    def of(cls, context: Timed, *, default: float, cap: float) -> Self:
        """Take the caller's deadline, `default` seconds where it set none, and never more than `cap` seconds."""
        remaining = context.time_remaining()
        return cls.after(min(default if remaining is None else remaining, cap))

    def remaining(self) -> float:
        """Tell the seconds left, 0 when it has passed: what a stub takes as `timeout`."""
        return max(self.at - self.clock(), 0.0)

    def share(self, fraction: float) -> Deadline:
        """Make the earlier deadline that leaves this `fraction` (0 to 1) of the time that is left now."""
        if not 0.0 < fraction <= 1.0:
            raise ValueError(f"a share lies above 0 and up to 1, not at {fraction}")
        now = self.clock()
        return Deadline(now + max(self.at - now, 0.0) * fraction, self.clock)

    def earlier(self, seconds: float) -> Deadline:
        """Make the deadline that lies `seconds` before this one."""
        return Deadline(self.at - seconds, self.clock)

    def or_default(self, seconds: float | None) -> Deadline:
        """Give the deadline of a call whose profile has a default of `seconds`: this one, which somebody set."""
        del seconds
        return self


@dataclass(frozen=True, slots=True)
class UnsetDeadline(Deadline):
    """The deadline of a call whose caller set none: what holds until its profile is known."""

    began: float = 0.0
    """When the call began, in seconds on `clock`."""
    cap: float = math.inf
    """Seconds that it may take at most, whatever the profile says."""

    def or_default(self, seconds: float | None) -> Deadline:
        """Give the deadline `seconds` after the call began, capped; this one where they are None."""
        return self if seconds is None else Deadline(self.began + min(seconds, self.cap), self.clock)


@dataclass(frozen=True, slots=True)
class DeadlinePolicy:
    """How long calls may take; none may for ever."""

    default_seconds: float
    """For a call without a deadline, until its profile says otherwise."""
    cap_seconds: float
    """For any call at most."""
    clock: Callable[[], float] = time.monotonic

    def of(self, context: Timed) -> Deadline:
        """Take the caller's deadline, capped; the default, which a profile may still change, where it set none."""
        remaining = context.time_remaining()
        if remaining is None:
            return self.unset()
        return Deadline.after(min(remaining, self.cap_seconds), clock=self.clock)

    def unset(self) -> Deadline:
        """Give the deadline of work that begins now and that no call waits for."""
        now = self.clock()
        at = now + min(self.default_seconds, self.cap_seconds)
        return UnsetDeadline(at, self.clock, began=now, cap=self.cap_seconds)
