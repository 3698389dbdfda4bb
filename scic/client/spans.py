"""Spans of time as the API has them."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration


def duration(span: timedelta | float) -> Duration:
    """A span of time; a number is seconds.

    Raises ValueError or OverflowError for what no span can be, and TypeError for text.
    """
    if not isinstance(span, timedelta | int | float):
        raise TypeError(f"a span of time is a timedelta or a number of seconds, not {span!r}")
    result = Duration()
    result.FromTimedelta(span if isinstance(span, timedelta) else timedelta(seconds=span))
    return result
