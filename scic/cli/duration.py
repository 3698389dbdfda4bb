"""Spans of time as people type them."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from google.protobuf.duration_pb2 import Duration

_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_FORM = re.compile(r"([1-9][0-9]{0,5})([mhdw])")

_NANOSECONDS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_PART = re.compile(rf"({_NUMBER})(ms|s|m|h|d)")
_SECONDS = re.compile(_NUMBER)

_SPOKEN = ((2 * 86_400, 86_400, "d"), (2 * 3_600, 3_600, "h"), (2 * 60, 60, "min"), (0, 1, "s"))
"""From how many seconds on a unit is spoken of, how many it has, and its sign."""


def span(text: str) -> Duration:
    """A span of time such as `500ms`, `5s`, `1.5h` or `1h30m`, to the nanosecond; a number alone is seconds.

    Raises ValueError for another form, and for units that do not go from large to small, each once.
    """
    parts = [("s", text)] if _SECONDS.fullmatch(text) else [(form[2], form[1]) for form in _PART.finditer(text)]
    sizes = [_NANOSECONDS[unit] for unit, _ in parts]
    whole = "".join(f"{number}{unit}" for unit, number in parts) in {text, f"{text}s"}
    if not parts or not whole or any(size <= following for size, following in pairwise(sizes)):
        raise ValueError("must be a number with ms, s, m, h or d, such as 500ms, 5s, 10m or 1h30m")
    duration = Duration()
    duration.FromNanoseconds(sum(int(Decimal(number) * _NANOSECONDS[unit]) for unit, number in parts))
    return duration


def spoken(seconds: float) -> str:
    """About how long that is: `12 s`, `4 min`, `3 h` or `2 d`."""
    _, size, sign = next(unit for unit in _SPOKEN if seconds >= unit[0] or not unit[0])
    return f"{max(seconds, 0) / size:.0f} {sign}"


def expiry(text: str, now: datetime) -> datetime:
    """The time that lies `text` (`90m`, `12h`, `30d`, `4w`) ahead, rounded up to a whole minute, hour or day.

    Rounded, the same command given again soon names the same time, and what is unchanged is not sent to the encoder
    again. Raises ValueError for another form, or a time that no calendar has.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} is not a number from 1 on with m, h, d or w, such as 30d or 12h")
    unit = _UNITS[form[2]]
    step = min(unit, _UNITS["d"])
    start = datetime.min.replace(tzinfo=now.tzinfo)
    try:
        later = now + int(form[1]) * unit
        return start + -((start - later) // step) * step
    except OverflowError:
        raise ValueError(f"{text!r} is further ahead than calendars reach") from None
