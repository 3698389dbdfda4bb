"""Spans of time as people type them."""

import re
from datetime import datetime, timedelta

_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_FORM = re.compile(r"([1-9][0-9]{0,5})([mhdw])")


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
