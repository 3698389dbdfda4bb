"""Interceptors that are one to grpc keep their order, and those that meet grpc themselves their place."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.interceptors import Call, CallInterceptor, Context, Method, chain, composed, metadata_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class Wrapping(CallInterceptor):
    """Writes its name before and behind the answer and the request's bytes."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def wrap(self, method: Method, call: Call) -> Call:
        async def marked(request: Any, context: Context) -> Any:
            return self.mark(await call(request, context))

        return marked

    def wrap_deserializer(self, deserializer: Any) -> Any:
        return lambda raw: self.mark(raw if deserializer is None else deserializer(raw))

    def mark(self, answer: bytes) -> bytes:
        return f"{self.name}(".encode() + answer + b")"


class Meeting(Wrapping):
    """Meets grpc itself at each call."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return await super().intercept_service(continuation, handler_call_details)


async def answers(interceptors: Sequence[CallInterceptor]) -> list[bytes]:
    """What a server with them answers, twice, since the first call makes what the next ones use."""

    async def echo(request: bytes, context: Context) -> bytes:
        assert tuple(metadata_of(context)) == tuple(context.invocation_metadata() or ())
        return request

    server = grpc.aio.server(interceptors=interceptors)
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("kitchen.v1.Kitchen", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary("/kitchen.v1.Kitchen/Echo")
            return [await call(b"soup", metadata=(("x-table", str(number)),)) for number in range(2)]
    finally:
        await server.stop(None)


@pytest.fixture
async def interceptors() -> tuple[CallInterceptor, ...]:
    return (Wrapping("a"), Wrapping("b"), Meeting("c"), Wrapping("d"), Wrapping("e"))


async def test_a_server_answers_as_with_each_of_them_alone(interceptors: tuple[CallInterceptor, ...]) -> None:
    assert await answers(composed(interceptors)) == await answers(interceptors)


@given(st.lists(st.booleans(), max_size=8))
def test_neighbours_that_only_wrap_are_one(meets: list[bool]) -> None:
    made = composed([Meeting("m") if meet else Wrapping("w") for meet in meets])
    runs = [meet for meet, run in groupby(meets) for _ in (run if meet else (run,))]
    assert [isinstance(one, Meeting) for one in made] == runs


def test_the_interceptors_of_every_call_are_one() -> None:
    assert len(composed(chain(Wrapping("own"), max_request_bytes=1, log_requests=True))) == 1
