"""Every exception becomes a canonical status with details, and never UNKNOWN: Envoy would eject the host for it."""

from __future__ import annotations

import uuid
from typing import Any, Final, Never

import grpc
import grpc.aio
from grpc_status import rpc_status
from structlog.contextvars import bind_contextvars

from scic.errors import CATALOGUE, INTERNAL, ScicError, to_status
from services.chassis import metrics
from services.chassis.interceptors.calls import Call, CallInterceptor, Context, Method
from services.chassis.logs import get_logger

_log = get_logger(__name__)

_OTHER: Final = "OTHER"


class Errors(CallInterceptor):
    """Maps a ScicError by the catalogue; anything else is a bug: logged with its trace, answered INTERNAL and an id."""

    def wrap(self, method: Method, call: Call) -> Call:
        """Catch what the call raises."""
        operation = method.operation

        async def mapped(request: Any, context: Context) -> Any:
            try:
                return await call(request, context)
            except ScicError as raised:
                error = raised
            except grpc.aio.AbortError:
                metrics.ERRORS.labels(context.code().name, operation).inc()
                raise
            except grpc.aio.BaseError as raised:
                # grpc's own, once the client has gone or the server has stopped: there is no one to answer.
                if context.done() or not isinstance(raised, grpc.aio.UsageError):
                    raise
                error = _unexpected(raised)
            except Exception as raised:  # noqa: BLE001  # the last line of defence: whatever it is gets a status
                error = _unexpected(raised)
            reason = error.reason if error.reason in CATALOGUE else _OTHER
            metrics.ERRORS.labels(reason, operation).inc()
            bind_contextvars(reason=reason)
            return await abort(context, error)

        return mapped


async def abort(context: Context, error: ScicError) -> Never:
    """End the RPC with the error's status; the trailing metadata set so far stays."""
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details, (*context.trailing_metadata(), *status.trailing_metadata))
    raise AssertionError("abort returned")


def _unexpected(error: Exception) -> ScicError:
    error_id = uuid.uuid4().hex
    _log.error("unexpected error", error_id=error_id, exc_info=error)
    return INTERNAL.error("An unexpected error happened; please report its id.", metadata={"error_id": error_id})
