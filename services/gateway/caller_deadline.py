"""How long a call of the public API may take."""

from services.chassis.deadline import Deadline
from services.chassis.interceptors import Context

_DEFAULT_SECONDS = 10.0
_CAP_SECONDS = 60.0


def caller_deadline(context: Context) -> Deadline:
    """The caller's deadline, 10 s where it sets none, 60 s at most."""
    return Deadline.of(context, default=_DEFAULT_SECONDS, cap=_CAP_SECONDS)
