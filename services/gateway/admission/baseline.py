"""What a build takes where few run beside it."""

from collections.abc import Callable
from statistics import median
from typing import Final

_EVERY: Final = 15.0
_EVERY_AT_FIRST: Final = 3.0
"""How often it is measured while the limit is reached; and until one measurement tells about what the last one did."""

_SETTLED: Final = 0.8
"""What is at least this part of the last one tells about the same. The first finds some of the builds of before."""

_SLOW: Final = 1.5
"""Builds that take so many seconds are not measured: a few of them would take longer than all may wait."""

_BEGINS_WITHIN: Final = 1.0
"""Who comes later to the moment would measure while the others no longer do."""

_SECONDS: Final = 1.0
_MOST_SECONDS: Final = 6.0
"""What that takes at most; and where too few builds have ended by then."""

_SAMPLES: Final = 5
_LEAST_SAMPLES: Final = 3
"""So many builds are enough, and so many must do where they take long: of fewer no long one would be among them."""

_DRAIN: Final = 1.5
_DRAIN_SECONDS: Final = 0.5
"""What those of before have to end: in times that a build takes then, and in seconds at most."""

_FOLLOWING: Final = 0.1
"""Part of the way to a lower median that the baseline goes: one lucky window is no baseline."""


class Baseline:
    """The median of some builds, measured now and then while few run.

    All gateways measure at the same moments of the wall clock: each would find the others' builds in its baseline
    otherwise, let more of its own run for it, and be found by them in turn.

    Args:
        clock: seconds.
        wall: seconds since 1970.
    """

    def __init__(self, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self._seconds = 0.0
        self._is_tried = self._is_measured = self._is_settled = False
        self._moment = 0.0
        self._since: float | None = None
        self._times: list[float] = []

    @property
    def seconds(self) -> float:
        """0 until a build has ended."""
        return self._seconds

    @property
    def is_tried(self) -> bool:
        """Whether it was ever measured, as far as that could be."""
        return self._is_tried

    @property
    def is_being_measured(self) -> bool:
        """Whether few are to run now."""
        return self._since is not None

    def look(self, typical: float, *, busy: bool) -> None:
        """Begins to measure where it is time and there is enough to measure, and ends what has lasted.

        A build takes `typical` seconds of late.
        """
        if self._since is not None:
            lasted = self._clock() - self._since
            if lasted >= (_SECONDS if len(self._times) >= _LEAST_SAMPLES else _MOST_SECONDS):
                self._end()
            return
        now = self._wall()
        phase = now % (_EVERY if self._is_settled else _EVERY_AT_FIRST)
        if not busy or phase >= _BEGINS_WITHIN or now - phase == self._moment:
            return
        self._moment, self._is_tried = now - phase, True
        if typical < _SLOW:
            self._since = self._clock()
            self._times.clear()
        else:
            self._is_settled = True

    def took(self, began: float, ended: float, typical: float) -> None:
        """Notes a build while it is measured, by the clock's times; those of before take `typical` seconds to end."""
        if self._since is None or began < self._since + min(_DRAIN * typical, _DRAIN_SECONDS):
            return
        self._times.append(ended - began)
        if len(self._times) >= _SAMPLES:
            self._end()

    def _end(self) -> None:
        if self._times:
            last, self._seconds = self._seconds, median(self._times)
            # Once and for all: who measured more often than the others would measure them, too.
            self._is_settled |= self._is_measured and self._seconds >= _SETTLED * last
            self._is_measured = True
        else:
            self._is_settled = True
        self._since = None

    def follow(self, seconds: float) -> None:
        """Notes what builds take in the usual way: hardly more than that is what they take alone."""
        if not self._seconds:
            self._seconds = seconds
        elif seconds < self._seconds:
            self._seconds += (seconds - self._seconds) * _FOLLOWING
