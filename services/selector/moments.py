"""Times as whole microseconds since the epoch, and corpus versions, which are such times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Whole microseconds since the epoch, exact."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(value: int) -> datetime:
    """The time that lies so many microseconds after the epoch."""
    return _EPOCH + timedelta(microseconds=value)


def next_version(version: int, now: datetime) -> int:
    """The corpus version after a change: a time, or one more than the last, so that no state comes back."""
    return max(version + 1, microseconds(now))
