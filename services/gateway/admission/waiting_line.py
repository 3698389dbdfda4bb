"""Those who wait for a turn: who is next, and who has waited too long."""

import asyncio
import math
from collections.abc import Iterator
from typing import Final

from services.gateway.admission.priority import Priority

MOST_SECONDS: Final = 0.5
"""What anybody but a job waits at most. A burst may take so long to be worked off."""

TARGET_SECONDS: Final = 0.1
"""What anybody but a job waits at most while more comes than can be done: to wait longer helps nobody, and makes all
late."""

INTERVAL_SECONDS: Final = 0.4
"""More comes than can be done where somebody has waited for longer than the target all this time."""

_MOST_WAITING: Final = 1024


def longest_wait(priority: Priority) -> float:
    """Seconds that one of a priority waits at most, whatever its deadline.

    Of a job nobody waits for the answer: one that is refused has lost an attempt and spared nobody. No more jobs wait
    than a worker does at a time.
    """
    return math.inf if priority is Priority.BATCH else MOST_SECONDS


class Waiter:
    """One who waits."""

    __slots__ = ("priority", "since", "turn")

    def __init__(self, priority: Priority, since: float, turn: asyncio.Future[bool]) -> None:
        self.priority: Final = priority
        self.since: Final = since
        self.turn: Final = turn
        """True: it is its turn; False: it was refused."""


class WaitingLine:
    """Ordered by priority, then by arrival; bounded in length and, but for jobs, in time.

    The bound in time is controlled delay as in "Fail at Scale" (B. Maurer, ACM Queue 13/8, 2015), after CoDel (RFC
    8289): a line that gets short now and then absorbs bursts, one that stands only adds to the time of everybody.
    """

    def __init__(self) -> None:
        self._lines: dict[Priority, dict[Waiter, None]] = {priority: {} for priority in Priority}
        self._hasty = [line for priority, line in self._lines.items() if longest_wait(priority) < math.inf]
        self._long_since: float | None = None
        self._short_since: float | None = None

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def join(self, waiter: Waiter) -> Waiter | None:
        """Puts one in line; gives who has to leave for it where the line is full: the last of the lowest priority."""
        self._lines[waiter.priority][waiter] = None
        if len(self) <= _MOST_WAITING:
            return None
        lowest = next(line for line in reversed(self._lines.values()) if line)
        last = next(reversed(lowest))
        self.leave(last)
        return last

    def leave(self, waiter: Waiter) -> None:
        """Takes one out, wherever it stands; harmless for one that has left."""
        self._lines[waiter.priority].pop(waiter, None)

    def ahead_of(self, priority: Priority) -> int:
        """How many would go before one of a priority who joined now."""
        return sum(len(line) for rank, line in self._lines.items() if rank <= priority)

    def next(self) -> Waiter | None:
        """Takes out whose turn it is."""
        for line in self._lines.values():
            for waiter in line:
                self.leave(waiter)
                return waiter
        return None

    def overdue(self, now: float) -> Iterator[Waiter]:
        """Takes out who has waited too long, the lowest priority first."""
        most = TARGET_SECONDS if self.watch(now) else MOST_SECONDS
        for line in reversed(self._hasty):
            for waiter in list(line):
                if now - waiter.since <= most:
                    break
                self.leave(waiter)
                yield waiter

    def watch(self, now: float) -> bool:
        """Takes note of how long the first has waited.

        Returns whether somebody has waited for longer than the target for an interval, and since then not so long
        nobody.
        """
        wait = now - min((next(iter(line)).since for line in self._hasty if line), default=now)
        if wait < TARGET_SECONDS / 2:
            self._short_since = now if self._short_since is None else self._short_since
        else:
            self._short_since = None
        stood = self._long_since is not None and now - self._long_since > INTERVAL_SECONDS
        # A line that is kept at the target is short now and then: what made it long goes on all the same.
        patience = INTERVAL_SECONDS if stood else 0.0
        if self._short_since is not None and now - self._short_since >= patience:
            self._long_since = None
        elif wait > TARGET_SECONDS and self._long_since is None:
            self._long_since = now
        return self._long_since is not None and now - self._long_since > INTERVAL_SECONDS
