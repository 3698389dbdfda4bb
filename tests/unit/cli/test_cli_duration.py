"""Spans of time: what people type and what it means, and how they are told."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from scic.cli.duration import expiry, span, spoken

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


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("500ms", 5 * 10**8),
        ("5s", 5 * 10**9),
        ("0.050000001s", 50_000_001),
        ("10m", 600 * 10**9),
        ("1.5h", 5_400 * 10**9),
        ("7d", 604_800 * 10**9),
        ("0s", 0),
        ("0", 0),
        ("10", 10 * 10**9),
        ("0.5", 5 * 10**8),
        ("1h30m", 5_400 * 10**9),
        ("1d2h3m4s5ms", 93_784_005 * 10**6),
    ],
)
def test_a_span_is_exact(text: str, nanoseconds: int) -> None:
    assert span(text).ToNanoseconds() == nanoseconds


@given(st.integers(0, 3_600 * 10**9))
def test_what_the_api_writes_is_read_back(nanoseconds: int) -> None:
    duration = Duration()
    duration.FromNanoseconds(nanoseconds)
    assert span(duration.ToJsonString()) == duration


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1s", "5 s", "5S", "1w", "1h30", "30m1h", "1h1h", "1h 30m", "1e3s", ".5s", "٣s", "٣", "0.0000000001s"],
)
def test_a_span_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a number with ms, s, m, h or d"):
        span(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (12, "12 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (200_000, "2 d"),
    ],
)
def test_a_span_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
