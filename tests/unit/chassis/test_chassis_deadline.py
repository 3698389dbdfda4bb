"""Deadlines: capped, defaulted, and split so that the shares never exceed the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.deadline import Deadline, DeadlinePolicy


class Context:
    def __init__(self, remaining: float | None) -> None:
        self.remaining = remaining

    def time_remaining(self) -> float | None:
        return self.remaining


POLICY = DeadlinePolicy(default_seconds=2.0, cap_seconds=5.0, clock=lambda: 100.0)


@pytest.mark.parametrize(
    ("callers", "seconds"),
    [(None, 2.0), (0.5, 0.5), (60.0, 5.0), (0.0, 0.0)],
    ids=["none: default", "the caller's", "too long: cap", "over"],
)
def test_takes_the_callers_time_within_bounds(callers: float | None, seconds: float) -> None:
    assert POLICY.of(Context(callers)).remaining() == seconds


@pytest.mark.parametrize(
    ("callers", "profiles", "seconds"),
    [
        pytest.param(None, None, 2.0, id="nobody's: the default"),
        pytest.param(None, 0.5, 0.5, id="the profile's"),
        pytest.param(None, 60.0, 5.0, id="the profile's, capped"),
        pytest.param(3.0, 0.5, 3.0, id="the caller's, whatever the profile says"),
        pytest.param(60.0, None, 5.0, id="the caller's, capped"),
    ],
)
def test_a_profile_decides_where_the_caller_does_not(
    callers: float | None, profiles: float | None, seconds: float
) -> None:
    deadline = POLICY.of(Context(callers)).or_default(profiles)
    assert deadline.remaining() == seconds
    assert deadline.or_default(profiles).remaining() == seconds, "said twice it is the same"


def test_a_default_above_the_cap_is_capped() -> None:
    assert DeadlinePolicy(60.0, 5.0, clock=lambda: 100.0).unset().remaining() == 5.0


def test_the_profiles_time_runs_from_the_beginning_of_the_call() -> None:
    now = [100.0]
    deadline = DeadlinePolicy(10.0, 60.0, clock=lambda: now[0]).unset()
    now[0] = 100.2
    assert deadline.or_default(0.5).remaining() == pytest.approx(0.3)


def test_what_is_left_shrinks_to_zero_and_not_below() -> None:
    now = [10.0]
    deadline = Deadline.after(2.0, clock=lambda: now[0])
    now[0] = 11.5
    assert deadline.remaining() == 0.5
    assert deadline.share(0.5).remaining() == 0.25
    assert deadline.earlier(0.2).remaining() == pytest.approx(0.3)
    now[0] = 13.0
    assert deadline.remaining() == 0.0
    assert deadline.share(0.5).remaining() == 0.0


@given(st.floats(0, 1e3), st.lists(st.floats(0.01, 1), max_size=6))
def test_shares_of_shares_end_no_later_than_the_whole(seconds: float, fractions: list[float]) -> None:
    deadline = whole = Deadline.after(seconds, clock=lambda: 0.0)
    for fraction in fractions:
        deadline = deadline.share(fraction)
        assert deadline.at <= whole.at


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1])
def test_a_share_is_a_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Deadline.after(1.0).share(fraction)
