"""The bound on what a gateway works on at a time, the first thing that a request meets."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import grpc.aio

from scic.errors import ScicError
from services.chassis.interceptors import Call, CallInterceptor, Context, Method
from services.gateway.admission.overload import overloaded
from services.gateway.admission.priority import Priority
from services.gateway.authentication import caller_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.gateway.principal import KeyRing

_RESOURCE = "requests"
_SHARES = {Priority.HIGH: 1.0, Priority.NORMAL: 0.95, Priority.LOW: 0.8}
"""Part of the bound up to which requests of a priority are taken."""

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class RequestBound(CallInterceptor):
    """Refuses requests above the bound, streams as they begin, and health never.

    A request is looked at twice: before its message is read, so that refusing it costs no parsing, and as its work
    begins, where it counts. Stands first, before Authentication: a key that is not known has the lowest priority.
    """

    def __init__(
        self, keys: KeyRing, max_requests: int, *, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        super().__init__()
        self._keys = keys
        self._uniform = uniform
        self._most = {priority: int(max_requests * share) for priority, share in _SHARES.items()}
        self._least = min(self._most.values())
        self._under_way = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """Refuse before the request is read (grpc calls this)."""
        wrapped = await super().intercept_service(continuation, handler_call_details)
        if (
            wrapped is None
            or self._under_way < self._least
            or handler_call_details.method.startswith("/grpc.")
            or (priority := self._too_low(handler_call_details.invocation_metadata)) is None
        ):
            return wrapped
        return self._refusing(wrapped, priority)

    def wrap(self, method: Method, call: Call) -> Call:
        """Refuse, or count while the call lasts."""
        if method.is_infrastructure:
            return call

        async def bounded(request: Any, context: Context) -> Any:
            if (
                self._under_way >= self._least
                and (priority := self._too_low(context.invocation_metadata())) is not None
            ):
                raise overloaded(_RESOURCE, priority, self._uniform)
            self._under_way += 1
            try:
                return await call(request, context)
            finally:
                self._under_way -= 1

        return bounded

    def _too_low(self, metadata: Any) -> Priority | None:
        """The priority of a caller for whom there is no room; None where there is."""
        try:
            priority = caller_in(self._keys, metadata).priority
        except ScicError:
            priority = Priority.LOW
        return priority if self._under_way >= self._most[priority] else None

    def _refusing(self, handler: _Handler, priority: Priority) -> _Handler:
        """A handler of the same kind that leaves the request's bytes alone."""

        async def refuse(_: Any, __: Context) -> Any:
            raise overloaded(_RESOURCE, priority, self._uniform)

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[bool(handler.request_streaming), bool(handler.response_streaming)]
        refusing: _Handler = make(refuse, None, handler.response_serializer)
        return refusing
