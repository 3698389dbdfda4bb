"""What another attempt may mend."""

from grpc import StatusCode

from scic import errors

_CODES = frozenset(
    {StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.RESOURCE_EXHAUSTED, StatusCode.ABORTED}
)


def is_retriable(error: errors.ScicError) -> bool:
    """Whether the mesh, and not the caller, stood in the way: away, late, or with too much to do."""
    return error.code in _CODES


def is_busy(error: errors.ScicError) -> bool:
    """Whether it is for want of room alone: that says nothing of the job, and counts as no attempt."""
    return error.reason == errors.OVERLOADED.name


def is_passing(reason: str) -> bool:
    """Whether a reason of the catalogue is one of those."""
    known = errors.CATALOGUE.get(reason)
    return known is not None and known.code in _CODES
