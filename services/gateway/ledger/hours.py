"""Segments lie by the hour in which they were written."""

from datetime import UTC, datetime


def hour_of(seconds: float) -> str:
    """The folder of a moment, seconds since 1970: `yyyy-mm-dd/HH` in UTC; folders sort as hours do."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d/%H")
