"""One shape for all four kinds of RPC, so that an interceptor is written once."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, Self, TypeAlias, cast

import grpc
import grpc.aio

from scic.errors import NOT_IMPLEMENTED

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Call: TypeAlias = Callable[[Any, Context], Awaitable[Any]]
"""Works on a request (or an iterator of requests): returns the response, or writes responses to the context.

Responses are written and not yielded, so that an interceptor's `finally` runs in the RPC's own task as soon as the
client goes away; a generator that grpc drops is closed later, by the garbage collector.
"""
Metadata: TypeAlias = "Sequence[tuple[str, str | bytes]]"
Deserializer: TypeAlias = Callable[[bytes], Any] | None
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]"

_serialize = methodcaller("SerializeToString")
"""What a servicer returns need not be the message, as long as it serializes to one."""

_metadata: ContextVar[Metadata | None] = ContextVar("metadata", default=None)


def metadata_of(context: Context) -> Metadata:
    """Give the metadata of the call that the present task works on.

    `context.invocation_metadata()` gives the same, and decodes all of it each time. For the interceptors grpc has
    decoded it already, in the task in which it calls the handler: what is noted there is this call's and no other's.
    """
    known = _metadata.get()
    return known if known is not None else cast("Metadata", context.invocation_metadata() or ())


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC of a servicer."""

    path: str
    """As on the wire: `/package.Service/Method`."""
    request_streaming: bool
    response_streaming: bool

    @property
    def operation(self) -> str:
        """`Service/Method`, for labels and logs."""
        return self.path.rpartition(".")[2].lstrip("/")

    @property
    def is_infrastructure(self) -> bool:
        """Whether it is grpc's own health or reflection: asked twice a second, and no one's request."""
        return self.path.startswith("/grpc.")


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Base of the interceptors: `wrap` is called once a method, what it returns once a call."""

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[_Handler, _Handler]] = {}

    @abstractmethod
    def wrap(self, method: Method, call: Call) -> Call:
        """Put this interceptor's work around a call; return `call` itself to stay out."""

    def wrap_deserializer(self, deserializer: Deserializer) -> Deserializer:
        """Put work around the parsing of requests; None leaves them bytes."""
        return deserializer

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """Wrap the handler of a known method (grpc calls this)."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        _metadata.set(cast("Metadata", handler_call_details.invocation_metadata))
        path = handler_call_details.method
        known = self._wrapped.get(path)
        if known is None or known[0] is not handler:
            known = self._wrapped[path] = (handler, self._wrap_handler(path, handler))
        return known[1]

    def _wrap_handler(self, path: str, handler: _Handler) -> _Handler:
        method = Method(path, bool(handler.request_streaming), bool(handler.response_streaming))
        behaviour: Any
        make: Any
        match method.request_streaming, method.response_streaming:
            case False, False:
                behaviour, make = handler.unary_unary, grpc.unary_unary_rpc_method_handler
            case False, True:
                behaviour, make = handler.unary_stream, grpc.unary_stream_rpc_method_handler
            case True, False:
                behaviour, make = handler.stream_unary, grpc.stream_unary_rpc_method_handler
            case _:
                behaviour, make = handler.stream_stream, grpc.stream_stream_rpc_method_handler
        wrapped: _Handler = make(
            self.wrap(method, _as_call(method, behaviour)),
            self.wrap_deserializer(handler.request_deserializer),
            handler.response_serializer and _serialize,
        )
        return wrapped


def _as_call(method: Method, behaviour: Any) -> Call:
    if inspect.iscoroutinefunction(behaviour):
        return cast("Call", behaviour)
    if inspect.isasyncgenfunction(behaviour):

        async def write_all(request: Any, context: Context) -> None:
            async with aclosing(behaviour(request, context)) as responses:
                async for response in responses:
                    await context.write(response)

        return write_all

    async def refuse(_: Any, __: Context) -> None:
        if behaviour.__module__.endswith("_pb2_grpc"):  # the generated base: nobody wrote this method yet
            raise NOT_IMPLEMENTED.error(f"{method.operation} is not implemented yet.")
        raise TypeError(f"{method.path}: a servicer's method must be `async def`, or it would block the event loop")

    return refuse


def reading(method: Method, call: Call, read: Callable[[Any], Any]) -> Call:
    """Put `read` before a call: what it makes of each request, or raises, is what the call gets."""
    if method.request_streaming:

        async def streaming(requests: AsyncIterator[Any], context: Context) -> Any:
            return await call(_Requests(requests, read), context)

        return streaming

    async def unary(request: Any, context: Context) -> Any:
        return await call(read(request), context)

    return unary


class _Requests:
    """The requests of a stream. Not a generator: that would be over after its first exception."""

    __slots__ = ("_read", "_requests")

    def __init__(self, requests: AsyncIterator[Any], read: Callable[[Any], Any]) -> None:
        self._requests = requests
        self._read = read

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return self._read(await anext(self._requests))
