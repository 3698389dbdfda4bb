"""The gate before what is expensive: so many contexts are built at a time as are wise, the rest wait or are refused."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from scic import errors
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.gateway.admission.concurrency_limit import ConcurrencyLimit
from services.gateway.admission.overload import overloaded
from services.gateway.admission.priority import Priority
from services.gateway.admission.waiting_line import TARGET_SECONDS, Waiter, WaitingLine, longest_wait

_RESOURCE: Final = "builds"

_STALL_SECONDS: Final = 0.4
_STALL_ROUNDS: Final = 3
"""Where no build has ended for so long, and for so many times what one took, they wait for what does not answer. Less
than anybody waits in line, unless builds are slow."""

_LEAST_LOOK_SECONDS: Final = 0.05
"""Between two looks whether they do."""

_STALLED_LIMIT: Final = 16
"""How many run then: those who wait take no processor from the others."""


class BuildGate:
    """Lets builds of this process in, at most `max_builds` at a time, and fewer where fewer are faster."""

    def __init__(
        self,
        max_builds: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._most = max_builds
        self._limit = ConcurrencyLimit(max_builds, clock=clock, wall=wall)
        self._line = WaitingLine()
        self._clock = clock
        self._uniform = uniform
        self._running = 0
        self._stall: asyncio.TimerHandle | None = None
        self._quiet_since = clock()
        """When a build ended last, or the first of those that run began."""
        self._show()

    @property
    def limit(self) -> int:
        """Builds that may run at a time, as things stand."""
        limit = self._limit.limit
        return max(limit, min(_STALLED_LIMIT, self._most)) if self._is_stalled() else limit

    @property
    def running(self) -> int:
        """Builds that run."""
        return self._running

    @property
    def waiting(self) -> int:
        """Builds that wait."""
        return len(self._line)

    def is_crowded(self, priority: Priority) -> bool:
        """Whether one who joined the line now would be refused in the end, so that it may be done at once."""
        if self._running < self.limit or priority is Priority.BATCH or not self._line.watch(self._clock()):
            return False
        return self._line.ahead_of(priority) * self._limit.typical > TARGET_SECONDS * self._limit.usual

    def refused(self, priority: Priority) -> errors.ScicError:
        """What one hears who is refused, counted."""
        return overloaded(_RESOURCE, priority, self._uniform)

    @asynccontextmanager
    async def turn(self, priority: Priority, deadline: Deadline) -> AsyncIterator[None]:
        """Stands around one build. Raises ScicError OVERLOADED where its turn does not come in time."""
        if self._running < self.limit and not len(self._line):
            self._begin()
        else:
            await self._wait(priority, deadline)
        began = self._clock()
        try:
            yield
        except BaseException:
            # How long a build that failed or was cancelled would have taken is not known.
            self._end()
            raise
        else:
            self._limit.took(began, self._clock())
            self._end()

    async def _wait(self, priority: Priority, deadline: Deadline) -> None:
        """Returns when it is its turn, which is counted then."""
        self._limit.reached()
        self._call()
        now = self._clock()
        self._refuse(self._line.overdue(now))
        patience = min(deadline.remaining() - self._limit.typical, longest_wait(priority))
        if patience <= 0 or self.is_crowded(priority):
            raise self.refused(priority)
        waiter = Waiter(priority, now, asyncio.get_running_loop().create_future())
        if (crowded_out := self._line.join(waiter)) is not None:
            self._refuse((crowded_out,))
        self._call()
        self._watch_for_stall()
        try:
            async with asyncio.timeout(patience):
                mine = await waiter.turn
        except TimeoutError:
            mine = self._settled(waiter)
        except asyncio.CancelledError:
            if self._settled(waiter):
                self._end()
            raise
        if not mine:
            raise self.refused(priority)

    def _settled(self, waiter: Waiter) -> bool:
        """Takes one out of line that waits no more. Returns whether its turn had come all the same."""
        self._line.leave(waiter)
        self._show()
        return waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.result()

    @property
    def _stall_seconds(self) -> float:
        return max(_STALL_SECONDS, _STALL_ROUNDS * self._limit.typical)

    def _is_stalled(self) -> bool:
        return self._running > 0 and self._clock() - self._quiet_since >= self._stall_seconds

    def _watch_for_stall(self) -> None:
        """While somebody waits, sees to it that he gets a turn once builds stall."""
        if self._stall is None and len(self._line):
            left = self._quiet_since + self._stall_seconds - self._clock()
            self._stall = asyncio.get_running_loop().call_later(max(left, _LEAST_LOOK_SECONDS), self._look_for_stall)

    def _look_for_stall(self) -> None:
        self._stall = None
        if len(self._line):
            self._limit.reached()
            self._call()
        self._watch_for_stall()

    def _begin(self) -> None:
        if not self._running:
            self._quiet_since = self._clock()
        self._running += 1

    def _end(self) -> None:
        self._running -= 1
        self._quiet_since = self._clock()
        self._refuse(self._line.overdue(self._clock()))
        self._call()

    def _call(self) -> None:
        """Gives turns to those in line, as many as there are."""
        while self._running < self.limit and (waiter := self._line.next()) is not None:
            if not waiter.turn.done():
                self._begin()
                waiter.turn.set_result(True)
        self._show()

    def _refuse(self, waiters: Iterable[Waiter]) -> None:
        for waiter in waiters:
            if not waiter.turn.done():
                waiter.turn.set_result(False)

    def _show(self) -> None:
        metrics.BUILD_LIMIT.set(self.limit)
        metrics.BUILDS_WAITING.set(len(self._line))
