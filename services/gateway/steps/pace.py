"""How long something takes of late."""

import math
from collections.abc import Callable

_WEIGHT = 0.2
"""Weight of the newest duration, where they come close together."""

_HALF_LIFE_SECONDS = 2.0
"""What nobody confirms loses half of itself in this time: what was skipped as too slow gets its chance again."""


class Pace:
    """The typical duration of calls: an exponentially weighted mean, which fades while there are none."""

    def __init__(self, clock: Callable[[], float], *, least: float) -> None:
        """`clock` tells seconds; `least` is what it takes at least, in seconds, and holds until something is known."""
        self._clock = clock
        self._least = least
        self._mean = least
        self._noted_at = clock()

    @property
    def typical(self) -> float:
        """Seconds that the next one may take."""
        return max(self._mean * self._fading, self._least)

    @property
    def _fading(self) -> float:
        idle = max(self._clock() - self._noted_at, 0.0)
        return math.exp2(-idle / _HALF_LIFE_SECONDS)

    def note(self, seconds: float) -> None:
        """Notes that one took so long, or was given up after so long."""
        # The longer ago what is known was noted, the more the newest counts.
        old = (1.0 - _WEIGHT) * self._fading
        self._mean = old * self._mean + (1.0 - old) * seconds
        self._noted_at = self._clock()
