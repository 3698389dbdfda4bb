"""How late the event loop is: work that is ready waits for its turn, and looks as slow as what it waited for."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, NamedTuple

_TICK: Final = 0.005
"""Seconds between two looks: some microseconds each, and only while somebody measures."""
_KEPT: Final = 1024
"""Looks that are remembered: five seconds of them."""


class Lateness(NamedTuple):
    """How late timers fired, in seconds."""

    worst: float
    total: float
    """Of all looks together: nearly the whole time on a loop that is always late by much more than a look."""


class LoopLag:
    """Tells how late timers fired on the running loop while something was measured. Of one event loop.

    By the system's clock: that of uvloop stands still within a turn of the loop.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._measuring = 0
        self._due = 0.0
        self._ticks = False

    def begin(self) -> float:
        """Begin to look; whoever does ends it, too. Returns the time, by `time.monotonic`."""
        self._measuring += 1
        if not self._ticks:
            self._tick()
        return time.monotonic()

    def end(self) -> None:
        """Look no longer for this one."""
        self._measuring -= 1

    def since(self, moment: float) -> Lateness:
        """Tell how late timers fired since a moment at which somebody began."""
        # A timer that is due and has not fired is late, too.
        worst = total = max(time.monotonic() - self._due, 0.0)
        for fired, late in reversed(self._seen):
            if fired < moment:
                break
            worst = max(worst, late)
            total += late
        return Lateness(worst, total)

    def _tick(self) -> None:
        self._ticks = True
        self._due = time.monotonic() + _TICK
        asyncio.get_running_loop().call_later(_TICK, self._look)

    def _look(self) -> None:
        now = time.monotonic()
        self._seen.append((now, now - self._due))
        self._ticks = False
        if self._measuring:
            self._tick()
