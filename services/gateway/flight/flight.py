"""One computation in this process, and those who wait for it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scic import errors
from services.chassis import metrics
from services.chassis.work import operation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.chassis.deadline import Deadline
    from services.gateway.flight.ticket import Built


def _future() -> asyncio.Future[Built]:
    return asyncio.get_running_loop().create_future()


def _word() -> asyncio.Future[bool]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class Flight:
    """A computation, from its first passenger to its end."""

    deadline: Deadline
    """Of its first passenger: until when it has to be done."""

    outcome: asyncio.Future[Built] = field(default_factory=_future)
    fresh: asyncio.Future[bool] = field(default_factory=_word)
    """Whether nothing that the reply names has changed since it was begun: who came later may know of a change."""

    passengers: int = 0
    left_at: float | None = None
    """When the last passenger left it unfinished, by the monotonic clock."""

    task: asyncio.Task[None] | None = None
    operation: str = field(default_factory=operation)

    @asynccontextmanager
    async def boarded(self) -> AsyncIterator[None]:
        """Stands around waiting for it. When the last one leaves it unfinished, it is given up."""
        self.passengers += 1
        try:
            yield
        finally:
            self.passengers -= 1
            if not self.passengers and not self.outcome.done() and self.task is not None:
                self.left_at = time.monotonic()
                self.task.cancel()

    def fail(self, error: BaseException) -> None:
        """Tells those who wait."""
        if not self.outcome.done():
            self.outcome.set_exception(error)
            # They may all have left.
            self.outcome.exception()

    def landed(self, task: asyncio.Task[None]) -> None:
        """Nobody waits for a computation that has ended, however it did."""
        broken = not task.cancelled() and task.exception() is not None
        reason = errors.INTERNAL if broken else errors.STAGE_UNAVAILABLE
        self.fail(reason.error("the computation was broken off", metadata={"stage": "gateway"}))
        if not self.fresh.done():
            self.fresh.set_result(False)
        if self.left_at is not None:
            metrics.WORK_AFTER_CANCEL.labels(self.operation).observe(time.monotonic() - self.left_at)
