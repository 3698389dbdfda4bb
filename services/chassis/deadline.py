"""The time a request has left, and its split over the stages: grpc.aio does not pass deadlines on by itself."""

from __future__ import annotations

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
    policy: DeadlinePolicy | None = None
    """Whose default it is, where nobody has set it."""

    @classmethod
    def after(cls, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> Self:
        """Make the deadline that lies `seconds` ahead."""
        return cls(clock() + seconds, clock)

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
        """Give the deadline of a call whose profile has a default of `seconds` from its beginning; None: it has none.

        It is this one where somebody has set it.
        """
        if self.policy is None or seconds is None:
            return self
        began = self.at - self.policy.unset_seconds
        return Deadline(began + min(seconds, self.policy.cap_seconds), self.clock)


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

    @property
    def unset_seconds(self) -> float:
        """How long a call may take of which nobody says anything."""
        return min(self.default_seconds, self.cap_seconds)

    def unset(self) -> Deadline:
        """Give the deadline of work that begins now and that no call waits for."""
        return Deadline(self.clock() + self.unset_seconds, self.clock, self)
