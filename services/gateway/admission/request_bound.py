"""The bound on what a gateway works on at a time, the first thing of the gateway's own that a request meets."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from scic.errors import ScicError
from services.chassis.interceptors import Call, CallInterceptor, Context, Method, metadata_of, reading
from services.gateway.admission.overload import overloaded
from services.gateway.admission.priority import Priority
from services.gateway.callers.authentication import caller_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.chassis.interceptors.calls import Deserializer
    from services.gateway.callers.principal import KeyRing

_RESOURCE: Final = "requests"
_SHARES = {Priority.HIGH: 1.0, Priority.NORMAL: 0.95, Priority.LOW: 0.8}
"""Part of the bound up to which requests of a priority are taken."""


class RequestBound(CallInterceptor):
    """Refuses requests above the bound, streams of requests as they begin, and health never.

    Near the bound a request is parsed only once it is let in, so that refusing it costs no parsing. A stream that only
    waits for what happens, WatchJob, is no work and does not count; `StreamBound` holds it. Stands before
    Authentication: a key that is not known has the lowest priority.
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

    def wrap(self, method: Method, call: Call) -> Call:
        """Refuse, or count while the call lasts."""
        parsing = reading(method, call, _parsed)
        if method.is_infrastructure or (method.response_streaming and not method.request_streaming):
            return parsing

        async def bounded(request: Any, context: Context) -> Any:
            if self._under_way >= self._least and (priority := self._too_low(metadata_of(context))) is not None:
                raise overloaded(_RESOURCE, priority, self._uniform)
            self._under_way += 1
            try:
                return await parsing(request, context)
            finally:
                self._under_way -= 1

        return bounded

    def wrap_deserializer(self, deserializer: Deserializer) -> Deserializer:
        """Parse at once only where all are let in."""
        if deserializer is None:
            return None

        def parse(raw: bytes) -> Any:
            return deserializer(raw) if self._under_way < self._least else _Unparsed(raw, deserializer)

        return parse

    def _too_low(self, metadata: Any) -> Priority | None:
        """The priority of a caller for whom there is no room; None where there is."""
        try:
            priority = caller_in(self._keys, metadata).priority
        except ScicError:
            priority = Priority.LOW
        return priority if self._under_way >= self._most[priority] else None


class _Unparsed:
    """A request that may be refused as it is."""

    __slots__ = ("_deserializer", "_raw")

    def __init__(self, raw: bytes, deserializer: Callable[[bytes], Any]) -> None:
        self._raw = raw
        self._deserializer = deserializer

    def parse(self) -> Any:
        return self._deserializer(self._raw)


def _parsed(request: Any) -> Any:
    return request.parse() if type(request) is _Unparsed else request
