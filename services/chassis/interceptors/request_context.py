"""The request's id: taken from the caller or made here, bound to every log line, given back."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final, cast

from structlog.contextvars import bind_contextvars

from services.chassis.channel import REQUEST_ID_KEY
from services.chassis.interceptors.calls import Call, CallInterceptor, Context, Metadata, Method, metadata_of

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class RequestContext(CallInterceptor):
    """Binds `request_id` and `operation`, and echoes the id in the trailing metadata.

    Each RPC has a task and so a context of its own; nothing need be unbound. A servicer that sets trailing metadata
    must keep what `context.trailing_metadata()` has.
    """

    def wrap(self, method: Method, call: Call) -> Call:
        """Bind first, then call."""
        if method.is_infrastructure:
            return call
        operation = method.operation

        async def bound(request: Any, context: Context) -> Any:
            request_id = _request_id(metadata_of(context))
            bind_contextvars(request_id=request_id, operation=operation)
            context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
            return await call(request, context)

        return bound


def request_id_of(context: Context) -> str:
    """Give the id of the request that a call answers.

    Of the metadata it goes back in, since to ask structlog for it goes through everything that is bound in the task.
    """
    return next(cast("str", value) for key, value in context.trailing_metadata() if key == REQUEST_ID_KEY)


def _request_id(metadata: Metadata) -> str:
    """Take the caller's id if it is one; anything else would put the caller's words into our logs."""
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex
