"""The time a request has left, and its split over the stages: grpc.aio does not pass deadlines on by itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc.aio

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
    def of(cls, context: grpc.aio.ServicerContext[Any, Any], *, default: float, cap: float) -> Self:
        """Take the caller's deadline, `default` seconds where it set none, and never more than `cap` seconds."""
        remaining: float | None = context.time_remaining()
        return cls.after(min(default if remaining is None else remaining, cap))

    def remaining(self) -> float:
        """Tell the seconds left, 0 when it has passed: what a stub takes as `timeout`."""
        return max(self.at - self.clock(), 0.0)

    def share(self, fraction: float) -> Self:
        """Make the earlier deadline that leaves this `fraction` (0 to 1) of the time that is left now."""
        if not 0.0 < fraction <= 1.0:
            raise ValueError(f"a share lies above 0 and up to 1, not at {fraction}")
        now = self.clock()
        return type(self)(now + max(self.at - now, 0.0) * fraction, self.clock)
