"""Where every request of the page passes: errors become answers, requests for records are counted and logged."""

import time
import uuid

from aiohttp import web
from aiohttp.typedefs import Handler
from structlog.contextvars import bind_contextvars, clear_contextvars

from scic.errors import CATALOGUE, INTERNAL, ScicError
from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.page.errors import as_json, error_response

_log = get_logger(__name__)

_OTHER = "LedgerPage"
"""The operation of what is no request for records."""


@web.middleware
async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer; a route that has a name is an operation: it is measured as an RPC is, and gets a line in the log."""
    name = request.match_info.route.name
    operation = _OTHER if name is None else name.replace(".", "/")
    # Requests of one connection share a task, and so what is bound to the log.
    clear_contextvars()
    bind_contextvars(operation=operation)
    started = time.perf_counter()
    status = "OK"
    try:
        return await handler(request)
    except web.HTTPException as refused:
        raise as_json(refused) from None
    except ScicError as error:
        status = error.code.name
        metrics.ERRORS.labels(error.reason if error.reason in CATALOGUE else "OTHER", operation).inc()
        bind_contextvars(reason=error.reason)
        return error_response(error)
    except Exception as error:  # noqa: BLE001  # the last line of defence: whatever it is gets a status
        unexpected = _unexpected(error)
        status = unexpected.code.name
        metrics.ERRORS.labels(unexpected.reason, operation).inc()
        return error_response(unexpected)
    finally:
        if name is not None:
            seconds = time.perf_counter() - started
            metrics.REQUEST_DURATION.labels(operation, status).observe(seconds)
            _log.info("request", status=status, duration_ms=round(seconds * 1000, 2))


def _unexpected(error: Exception) -> ScicError:
    error_id = uuid.uuid4().hex
    _log.error("unexpected error", error_id=error_id, exc_info=error)
    return INTERNAL.error(
        f"An unexpected error happened; please report its id: {error_id}", metadata={"error_id": error_id}
    )
