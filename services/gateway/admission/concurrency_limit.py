"""How many builds at a time are wise, found out from how long they take."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

from services.gateway.admission.baseline import Baseline

_INITIAL: Final = 16
"""It is not exceeded before the baseline was measured: until then that is what builds take among as many."""

_TOLERANCE: Final = 2.0
"""How many times its time alone a build may take before there are too many at a time."""

_LEAST_GRADIENT: Final = 0.5
"""One window at most halves the limit: a window may have been bad luck."""

_WINDOW_SAMPLES: Final = 20
_WINDOW_ROUNDS: Final = 4
_WINDOW_SECONDS: Final = 0.1
"""A window ends when it has both: enough builds for a median, or each turn used so often, and enough time for a change
to show."""

_MEASURING_DIVISOR: Final = 8
"""Part of the limit that is used while the baseline is measured."""

_LEAST_SECONDS: Final = 1e-6
"""No build takes less, whatever the clock says."""


class ConcurrencyLimit:
    """A limit that follows the gradient of latency: the baseline, divided by what builds take now.

    While builds take about what they take alone, there is room for more, and the limit grows by its square root; as
    they queue for the same processors they take longer, no more are done in a second, and the limit shrinks. That is
    Gradient2 of Netflix' concurrency-limits (https://github.com/Netflix/concurrency-limits), on medians of windows, and
    with the baseline of Envoy's adaptive concurrency filter: measured now and then at a fraction of the limit
    (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/adaptive_concurrency_filter), since a
    long-term mean would follow an overload that lasts, and a minimum would follow the smallest build.

    Args:
        most: the limit never exceeds it, and never falls below 1.
        clock: seconds.
        wall: seconds since 1970.
    """

    def __init__(self, most: int, *, clock: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._baseline = Baseline(clock=clock, wall=wall)
        self._limit = float(min(_INITIAL, most))
        self._typical = 0.0
        self._window: list[float] = []
        self._began = clock()
        self._reached = self._busy = False

    @property
    def limit(self) -> int:
        """Builds that may run now."""
        return max(self.usual // _MEASURING_DIVISOR, 1) if self._baseline.is_being_measured else self.usual

    @property
    def usual(self) -> int:
        """Builds that may run while nothing is measured."""
        return int(self._limit)

    @property
    def typical(self) -> float:
        """Seconds that a build took of late; 0 until that is known."""
        return self._typical

    def reached(self) -> None:
        """Notes that a build had to wait since the limit was reached; a limit that nobody reaches stays as it is."""
        self._reached = True
        self._baseline.look(self._typical, busy=self._busy)

    def took(self, began: float, ended: float) -> None:
        """Notes a build by the clock's times."""
        self._baseline.look(self._typical, busy=self._busy)
        if self._baseline.is_being_measured:
            self._baseline.took(began, ended, self._typical)
            return
        self._window.append(ended - began)
        enough = min(_WINDOW_SAMPLES, _WINDOW_ROUNDS * self.usual)
        if len(self._window) >= enough and ended - self._began >= _WINDOW_SECONDS:
            self._turn(max(median(self._window), _LEAST_SECONDS))

    def _turn(self, seconds: float) -> None:
        """Ends a window whose builds took `seconds`."""
        self._typical = seconds
        self._baseline.follow(seconds)
        if self._reached:
            gradient = min(max(_TOLERANCE * self._baseline.seconds / seconds, _LEAST_GRADIENT), 1.0)
            most = self._most if self._baseline.is_tried else min(_INITIAL, self._most)
            self._limit = min(max(self._limit * gradient + self._limit**0.5 / 2, 1.0), float(most))
        self._window.clear()
        self._began, self._busy, self._reached = self._clock(), self._reached, False
