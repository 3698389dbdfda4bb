"""Metrics and one access line for every request."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import grpc

from services.chassis import metrics
from services.chassis.cancellation import Watched
from services.chassis.interceptors.calls import Call, CallInterceptor, Context, Method
from services.chassis.logs import get_logger

if TYPE_CHECKING:
    from prometheus_client import Histogram

_log = get_logger(__name__)

# Ours to look at; the rest are the caller's.
_SERVER_FAULTS: Final = frozenset({"UNKNOWN", "INTERNAL", "DATA_LOSS", "UNAVAILABLE", "DEADLINE_EXCEEDED"})


class Observation(CallInterceptor):
    """Measures duration by operation and final status; health checks and reflection are left out.

    Of a call whose caller left, or whose time was up, it measures how long the handler went on after that, too.

    With `log_requests` off, requests that succeed are logged at level debug only.
    """

    def __init__(self, *, log_requests: bool) -> None:
        super().__init__()
        self._log_success = _log.info if log_requests else _log.debug

    def wrap(self, method: Method, call: Call) -> Call:
        """Time the call and note how it ended."""
        if method.is_infrastructure:
            return call
        operation = method.operation
        in_flight = metrics.REQUESTS_IN_FLIGHT.labels(operation)
        durations: dict[str, Histogram] = {}

        async def observed(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            work = Watched(call(request, context))
            status = "UNKNOWN"  # what grpc makes of an exception that gets past Errors
            in_flight.inc()
            try:
                response = await work
                status = _name(context.code())
            except asyncio.CancelledError:
                # The core cancels the task both when the client leaves and when the client's time is up.
                remaining: float | None = context.time_remaining()
                status = "DEADLINE_EXCEEDED" if remaining is not None and remaining <= 0 else "CANCELLED"
                if work.cancelled_at is not None:
                    went_on = time.monotonic() - work.cancelled_at
                    metrics.WORK_AFTER_CANCEL.labels(operation).observe(went_on)
                raise
            except grpc.aio.AbortError:
                status = _name(context.code())
                raise
            else:
                return response
            finally:
                seconds = time.perf_counter() - started
                in_flight.dec()
                if (duration := durations.get(status)) is None:
                    duration = durations[status] = metrics.REQUEST_DURATION.labels(operation, status)
                duration.observe(seconds)
                log = self._log_success if status == "OK" else _log.info
                log = _log.warning if status in _SERVER_FAULTS else log
                log("request", status=status, duration_ms=round(seconds * 1000, 2))

        return observed


def _name(code: grpc.StatusCode | None) -> str:
    return "OK" if code is None else code.name
