"""Many interceptors as one: grpc pays for each interceptor of a server anew at every call."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from services.chassis.interceptors.calls import Call, CallInterceptor, Deserializer, Method

if TYPE_CHECKING:
    from collections.abc import Iterable


class Composed(CallInterceptor):
    """Puts the work of its parts around a call, the first part's outermost."""

    def __init__(self, parts: tuple[CallInterceptor, ...]) -> None:
        super().__init__()
        self._parts = parts

    def wrap(self, method: Method, call: Call) -> Call:
        """Wrap the call from the inside out."""
        for part in reversed(self._parts):
            call = part.wrap(method, call)
        return call

    def wrap_deserializer(self, deserializer: Deserializer) -> Deserializer:
        """Wrap the parsing from the inside out."""
        for part in reversed(self._parts):
            deserializer = part.wrap_deserializer(deserializer)
        return deserializer


def composed(interceptors: Iterable[CallInterceptor]) -> tuple[CallInterceptor, ...]:
    """Make one interceptor of neighbours that only wrap; one that meets grpc itself, at each call, stays as it is."""
    made: list[CallInterceptor] = []
    for only_wrap, neighbours in groupby(interceptors, _only_wraps):
        parts = tuple(neighbours)
        made += [Composed(parts)] if only_wrap else parts
    return tuple(made)


def _only_wraps(interceptor: CallInterceptor) -> bool:
    return type(interceptor).intercept_service is CallInterceptor.intercept_service
