"""What every call of every service goes through: one ordered list."""

from __future__ import annotations

from services.chassis.interceptors.calls import Call, CallInterceptor, Context, Method, metadata_of, reading
from services.chassis.interceptors.composed import composed
from services.chassis.interceptors.decoding import Decoding
from services.chassis.interceptors.errors import Errors
from services.chassis.interceptors.observation import Observation
from services.chassis.interceptors.request_context import RequestContext, request_id_of
from services.chassis.interceptors.validation import Validation, check

__all__ = [
    "Call",
    "CallInterceptor",
    "Context",
    "Method",
    "chain",
    "check",
    "composed",
    "metadata_of",
    "reading",
    "request_id_of",
]


def chain(*own: CallInterceptor, max_request_bytes: int, log_requests: bool) -> tuple[CallInterceptor, ...]:
    """Give the interceptors of one server, outermost first; `own` are the service's. A server gets them `composed`."""
    return (
        RequestContext(),  # first, so that every log line has the request's id
        Observation(log_requests=log_requests),  # sees the final status, whoever made it
        Errors(),  # turns exceptions into statuses; inside it everything may raise a ScicError
        *own,  # who may call comes before what is asked
        Decoding(max_request_bytes),  # bytes that are no message of ours, or too many
        Validation(),  # the rules of the protos
    )
