"""When the baseline is measured: soon and again until it holds, then now and then."""

import pytest

from services.gateway.admission.baseline import Baseline


class Moments:
    """A clock that both times are read from, and builds that all take as long as the case says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.baseline = Baseline(clock=lambda: self.now, wall=lambda: self.now)
        self.measured: list[int] = []
        """At which seconds."""

    def go_on(self, until: float, *, seconds: float | None, typical: float) -> None:
        """Looks twenty times a second, and a build ends each time; none where there are no `seconds`."""
        while self.now < until:
            before = self.baseline.is_being_measured
            self.baseline.look(typical, busy=True)
            if self.baseline.is_being_measured and not before:
                self.measured.append(int(self.now))
            if seconds is not None:
                self.baseline.took(self.now - seconds, self.now, typical)
            self.now += 0.05


@pytest.fixture
def moments() -> Moments:
    moments = Moments()
    moments.now = 1.5
    moments.baseline.follow(0.6)
    return moments


def test_what_is_much_lower_than_what_was_known_is_measured_again_until_it_holds(moments: Moments) -> None:
    moments.go_on(5, seconds=0.3, typical=0.6)
    moments.go_on(8, seconds=0.1, typical=0.2)
    moments.go_on(50, seconds=0.1, typical=0.2)
    assert moments.measured == [3, 6, 9, 15, 30, 45]
    assert moments.baseline.seconds == pytest.approx(0.1)


def test_what_holds_is_measured_seldom_from_the_second_time_on(moments: Moments) -> None:
    moments.go_on(50, seconds=0.6, typical=0.6)
    assert moments.measured == [3, 6, 15, 30, 45]


def test_once_it_held_it_is_measured_when_all_others_measure(moments: Moments) -> None:
    moments.go_on(20, seconds=0.6, typical=0.6)
    moments.go_on(50, seconds=0.1, typical=0.2)
    assert moments.measured == [3, 6, 15, 30, 45]


def test_where_no_build_ends_it_is_measured_seldom(moments: Moments) -> None:
    moments.go_on(50, seconds=None, typical=0.2)
    assert moments.measured == [3, 15, 30, 45]


def test_builds_of_seconds_are_not_measured(moments: Moments) -> None:
    moments.go_on(50, seconds=2.0, typical=2.0)
    assert not moments.measured
    assert moments.baseline.is_tried
