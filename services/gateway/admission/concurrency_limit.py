"""How many builds at a time are wise, found out from how long they take."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

_TOLERANCE: Final = 1.5
"""How many times its time alone a build may take before there are too many at a time."""

_LEAST_GRADIENT: Final = 0.5
"""One window at most halves the limit: a window may have been bad luck."""

_WINDOW_SAMPLES: Final = 20
_WINDOW_ROUNDS: Final = 4
_WINDOW_SECONDS: Final = 0.1
"""A window ends when it has both: enough builds for a median, or each turn used so often, and enough time for a change
to show."""

_FOLLOWING: Final = 0.1
"""Part of the way to a lower median that the baseline goes: one lucky window is no baseline."""

_PROBE_EVERY: Final = 15.0
"""How often the baseline is measured anew while the limit is reached."""

_PROBE_SECONDS: Final = 1.0
_LONGEST_PROBE_SECONDS: Final = 6.0
"""What that takes at most; and where too few builds have ended by then."""

_PROBE_DIVISOR: Final = 8
"""Part of the limit that is used meanwhile."""

_PROBE_SAMPLES: Final = 5
_LEAST_SAMPLES: Final = 3
"""So many builds are enough, and so many must do where they take long: of fewer no long one would be among them."""

_LEAST_SECONDS: Final = 1e-6
"""No build takes less, whatever the clock says."""

_SETTLING_SECONDS: Final = 2.0
"""From the beginning on, until there is something to measure."""

_DRAIN: Final = 1.5
_DRAIN_SECONDS: Final = 0.5
"""What those of before have to end: in times that a build takes then, and in seconds at most."""


class ConcurrencyLimit:
    """A limit that follows the gradient of latency: the baseline, divided by what builds take now.

    While builds take about what they take alone, there is room for more, and the limit grows by its square root; as
    they queue for the same processors they take longer, no more are done in a second, and the limit shrinks. That is
    Gradient2 of Netflix' concurrency-limits (https://github.com/Netflix/concurrency-limits), on medians of windows, and
    with the baseline of Envoy's adaptive concurrency filter: measured now and then at a fraction of the limit
    (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/adaptive_concurrency_filter), since a
    long-term mean would follow an overload that lasts, and a minimum would follow the smallest build. All gateways
    measure at the same moments of the wall clock: each would find the others' builds in its baseline otherwise, raise
    its limit for it, and be found by them in turn.

    Args:
        most: the limit never exceeds it, and never falls below 1.
        clock: seconds.
        wall: seconds since 1970.
    """

    def __init__(
        self, most: int, *, clock: Callable[[], float], wall: Callable[[], float] = time.time, initial: int = 16
    ) -> None:
        self._most = most
        self._clock = clock
        self._wall = wall
        self._limit = float(min(initial, most))
        self._baseline = 0.0
        self._typical = 0.0
        self._window: list[float] = []
        self._born = self._began = clock()
        self._reached = self._busy = False
        self._probe: list[float] = []
        self._probe_since: float | None = None
        self._measured = False

    @property
    def limit(self) -> int:
        """Builds that may run now."""
        return max(self.usual // _PROBE_DIVISOR, 1) if self._probes() else self.usual

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

    def took(self, began: float, ended: float) -> None:
        """Notes a build by the clock's times."""
        if self._probes() and self._probe_since is not None:
            # Earlier ones ran among those of before.
            if began >= self._probe_since + min(_DRAIN * self._typical, _DRAIN_SECONDS):
                self._probe.append(ended - began)
            if len(self._probe) >= _PROBE_SAMPLES:
                self._measure()
            return
        self._window.append(ended - began)
        enough = min(_WINDOW_SAMPLES, _WINDOW_ROUNDS * self.usual)
        if len(self._window) >= enough and ended - self._began >= _WINDOW_SECONDS:
            self._turn(max(median(self._window), _LEAST_SECONDS))

    def _probes(self) -> bool:
        """Whether the baseline is being measured."""
        phase = self._wall() % _PROBE_EVERY
        short = not self._measured and len(self._probe) < _LEAST_SAMPLES
        late = self._probe_since is not None and short and phase < _LONGEST_PROBE_SECONDS
        settled = self._clock() - self._born > _SETTLING_SECONDS
        if not self._busy or not settled or (phase >= _PROBE_SECONDS and not late):
            if self._probe_since is not None and self._probe and not self._measured:
                self._measure()
            self._measured = False
            self._probe_since = None
        elif self._probe_since is None:
            self._probe_since = self._clock()
            self._probe.clear()
        return self._probe_since is not None and not self._measured

    def _measure(self) -> None:
        self._baseline = median(self._probe)
        self._measured = True

    def _turn(self, seconds: float) -> None:
        """Ends a window whose builds took `seconds`."""
        self._typical = seconds
        if not self._baseline:
            self._baseline = seconds
        elif seconds < self._baseline:
            self._baseline += (seconds - self._baseline) * _FOLLOWING
        if self._reached:
            gradient = min(max(_TOLERANCE * self._baseline / seconds, _LEAST_GRADIENT), 1.0)
            self._limit = min(max(self._limit * gradient + self._limit**0.5 / 2, 1.0), float(self._most))
        self._window.clear()
        self._began, self._busy, self._reached = self._clock(), self._reached, False
