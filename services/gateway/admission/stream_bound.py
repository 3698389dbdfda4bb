"""The bound on the streams that one API key has open: nobody may take them all."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from services.chassis.interceptors import Call, CallInterceptor, Context, Method
from services.gateway.admission.overload import overloaded
from services.gateway.callers.authentication import current_principal

if TYPE_CHECKING:
    from collections.abc import Callable

_RESOURCE: Final = "streams"


class StreamBound(CallInterceptor):
    """Refuses a key's streams, WatchJob and IngestDocuments together, above `most` at a time; after Authentication."""

    def __init__(self, most: int, *, uniform: Callable[[float, float], float] = random.uniform) -> None:
        super().__init__()
        self._most = most
        self._uniform = uniform
        self._open: Counter[str] = Counter()
        """By the name of the key."""

    def wrap(self, method: Method, call: Call) -> Call:
        """Refuse, or count while the stream lasts."""
        if method.is_infrastructure or not (method.request_streaming or method.response_streaming):
            return call

        async def bounded(request: Any, context: Context) -> Any:
            principal = current_principal()
            key = principal.key_id
            if self._open[key] >= self._most:
                raise overloaded(_RESOURCE, principal.priority, self._uniform)
            self._open[key] += 1
            try:
                return await call(request, context)
            finally:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]

        return bounded
