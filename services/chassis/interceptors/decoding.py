"""Requests that are not a message, or too large, are the caller's mistake and not the server's failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from scic.errors import MALFORMED_REQUEST, REQUEST_TOO_LARGE, ScicError
from services.chassis.interceptors.calls import Call, CallInterceptor, Deserializer, Method, reading


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands in for a request that could not be read, until the call can raise.

    An exception inside the deserializer would be UNKNOWN or INTERNAL to the client: grpc calls it outside the handler.
    """

    error: ScicError


class Decoding(CallInterceptor):
    """Refuses requests above `limit_bytes` and bytes that do not parse.

    A servicer of streamed requests iterates over them (it does not call `context.read()`). The iterator raises at the
    request that is refused and goes on behind it, should the servicer want to.
    """

    def __init__(self, limit_bytes: int) -> None:
        super().__init__()
        self._limit_bytes = limit_bytes

    def wrap_deserializer(self, deserializer: Deserializer) -> Deserializer:
        """Parse into a message or the reason why not."""
        limit = self._limit_bytes

        def decode(raw: bytes) -> Any:
            if len(raw) > limit:
                return _Refused(
                    REQUEST_TOO_LARGE.error(
                        f"The request has {len(raw)} bytes; at most {limit} are taken.",
                        metadata={"limit_bytes": str(limit)},
                    )
                )
            if deserializer is None:
                return raw
            try:
                return deserializer(raw)
            except (DecodeError, ValueError):
                return _Refused(MALFORMED_REQUEST.error("The request is not a message of the expected type."))

        return decode

    def wrap(self, method: Method, call: Call) -> Call:
        """Raise for what could not be read."""
        return reading(method, call, _let_in)


def _let_in(request: Any) -> Any:
    if type(request) is _Refused:
        raise request.error
    return request
