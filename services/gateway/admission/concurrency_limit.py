"""How many builds at a time are wise, found out from how long they take."""

from collections.abc import Callable
from statistics import median
from typing import Final

_TOLERANCE: Final = 1.5
"""How many times its time alone a build may take before there are too many at a time."""

_LEAST_GRADIENT: Final = 0.5
"""One window at most halves the limit: a window may have been bad luck."""

_WINDOW_SAMPLES: Final = 20
_WINDOW_SECONDS: Final = 0.1
"""A window ends when it has both: enough builds for a median, and enough time for a change to show."""

_FOLLOWING: Final = 0.1
"""Part of the way to a lower median that the baseline goes: one lucky window is no baseline."""

_PROBE_SECONDS: Final = 10.0
"""How often the baseline is measured anew while the limit is reached."""

_PROBE_DIVISOR: Final = 3


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
    """

    def __init__(self, most: int, *, clock: Callable[[], float], initial: int = 16) -> None:
        self._most = most
        self._clock = clock
        self._limit = float(min(initial, most))
        self._baseline = 0.0
        self._typical = 0.0
        self._probing = False
        self._probe_at = clock() + 1.0
        self._window: list[float] = []
        self._began = clock()
        self._reached = False

    @property
    def limit(self) -> int:
        """Builds that may run now."""
        return max(int(self._limit) // _PROBE_DIVISOR, 1) if self._probing else int(self._limit)

    @property
    def typical(self) -> float:
        """Seconds that a build took of late; 0 until that is known."""
        return self._typical

    def reached(self) -> None:
        """Notes that a build had to wait since the limit was reached; a limit that nobody reaches stays as it is."""
        self._reached = True

    def took(self, began: float, ended: float) -> None:
        """Notes a build by the clock's times."""
        if began < self._began and self._probing:
            return  # it ran among more than the probe lets in
        self._window.append(ended - began)
        if len(self._window) >= _WINDOW_SAMPLES and ended - self._began >= _WINDOW_SECONDS:
            self._turn(median(self._window))

    def _turn(self, seconds: float) -> None:
        """Ends a window whose builds took `seconds`."""
        now = self._clock()
        self._typical = seconds
        if self._probing or not self._baseline:
            self._baseline = seconds
        elif seconds < self._baseline:
            self._baseline += (seconds - self._baseline) * _FOLLOWING
        if self._probing:
            self._probing = False
            self._probe_at = now + _PROBE_SECONDS
        elif self._reached:
            gradient = min(max(_TOLERANCE * self._baseline / seconds, _LEAST_GRADIENT), 1.0)
            self._limit = min(max(self._limit * gradient + self._limit**0.5 / 2, 1.0), float(self._most))
            self._probing = now >= self._probe_at
        self._window.clear()
        self._began, self._reached = now, False
