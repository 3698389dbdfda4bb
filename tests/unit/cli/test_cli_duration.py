"""`--expires-in`: what people type, and the time that it means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scic.cli.duration import expiry

NOW = datetime(2025, 3, 31, 12, 34, 56, 789, UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("30d", datetime(2025, 5, 1, tzinfo=UTC), id="days: the next midnight"),
        pytest.param("12h", datetime(2025, 4, 1, 1, tzinfo=UTC), id="hours: the next full hour"),
        pytest.param("90m", datetime(2025, 3, 31, 14, 5, tzinfo=UTC), id="minutes: the next full minute"),
        pytest.param("1w", datetime(2025, 4, 8, tzinfo=UTC), id="weeks: the next midnight"),
    ],
)
def test_it_is_rounded_up_to_its_unit(text: str, expected: datetime) -> None:
    assert expiry(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1.5h", "30 d", "30D", "1y", "1d2h", "9999999d", "٣d"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30d or 12h"):
        expiry(text, NOW)


def test_a_time_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(ValueError, match="further ahead than calendars reach"):
        expiry("999999w", NOW)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.integers(1, 1000),
    st.sampled_from(["m", "h", "d", "w"]),
)
def test_never_too_early_and_less_than_a_unit_too_late(now: datetime, count: int, letter: str) -> None:
    unit = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[letter]
    rounding = expiry(f"{count}{letter}", now) - now - count * unit
    assert timedelta(0) <= rounding < min(unit, timedelta(days=1))
