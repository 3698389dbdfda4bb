"""Spans of time as the API has them."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration


def duration(span: timedelta | float) -> Duration:
    """A span of time; a number is seconds. Raises ValueError or OverflowError for what no span can be."""
    result = Duration()
    result.FromTimedelta(span if isinstance(span, timedelta) else timedelta(seconds=span))
    return result
