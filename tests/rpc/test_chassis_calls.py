"""The interceptor chain, seen by a real client over a real connection, for all four kinds of RPC."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from scic.errors import DOCUMENT_NOT_FOUND, ScicError, from_rpc_error
from services.chassis import (
    App,
    Call,
    CallInterceptor,
    Context,
    Health,
    Method,
    ServeSettings,
    metrics,
    outgoing_metadata,
    stage_channel,
    start,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVICE = "kitchen.v1.Kitchen"
KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")
LIMIT = 2048
BROKEN_UTF8 = b"\x0a\x02\xff\xfe"
NOT_A_MESSAGE = b"\xff"


class Kitchen:
    """Does what the request's text says."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.begun = asyncio.Event()

    async def obey(self, request: StringValue, context: Context) -> StringValue:
        self.begun.set()
        match request.value:
            case "not found":
                raise DOCUMENT_NOT_FOUND.error("No such document.", metadata={"document": "d1"})
            case "bug":
                raise ValueError("the caller's secret words")
            case "abort":
                await context.abort(grpc.StatusCode.ABORTED, "aborted")
            case "write nothing":
                raise grpc.aio.UsageError("a bug of ours in the use of grpc")
            case "metadata":
                return StringValue(value=str(outgoing_metadata()))
            case "wait":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
        return StringValue(value=f"done: {request.value}")

    async def unary_unary(self, request: StringValue, context: Context) -> StringValue:
        return await self.obey(request, context)

    async def unary_stream(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        yield StringValue(value="first")
        yield await self.obey(request, context)

    async def stream_unary(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        answers = [await self.obey(request, context) async for request in requests]
        return answers[-1]

    async def stream_stream(self, requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield await self.obey(request, context)

    async def tolerant(self, requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        """Reports a bad request of the stream and goes on with the rest."""
        while True:
            try:
                request = await anext(requests)
            except StopAsyncIteration:
                return
            except ScicError as error:
                yield StringValue(value=error.reason)
            else:
                yield await self.obey(request, context)

    def blocking(self, request: StringValue, context: Context) -> StringValue:
        raise AssertionError("must not be called")

    def register(self, server: grpc.aio.Server) -> None:
        make = {
            "UnaryUnary": (grpc.unary_unary_rpc_method_handler, self.unary_unary),
            "UnaryStream": (grpc.unary_stream_rpc_method_handler, self.unary_stream),
            "StreamUnary": (grpc.stream_unary_rpc_method_handler, self.stream_unary),
            "StreamStream": (grpc.stream_stream_rpc_method_handler, self.stream_stream),
            "Tolerant": (grpc.stream_stream_rpc_method_handler, self.tolerant),
            "Later": (grpc.unary_unary_rpc_method_handler, health_pb2_grpc.HealthServicer().Check),
            "Blocking": (grpc.unary_unary_rpc_method_handler, self.blocking),
        }
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            name: handler(behaviour, StringValue.FromString, StringValue.SerializeToString)
            for name, (handler, behaviour) in make.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


class Doorkeeper(CallInterceptor):
    """A service's own interceptor: it may raise as a servicer may."""

    def wrap(self, method: Method, call: Call) -> Call:
        async def guarded(request: Any, context: Context) -> Any:
            if ("x-door", "closed") in (context.invocation_metadata() or ()):
                raise DOCUMENT_NOT_FOUND.error("The door is closed.")
            return await call(request, context)

        return guarded


@pytest.fixture
async def kitchen() -> Kitchen:
    return Kitchen()


@pytest.fixture
async def channel(kitchen: Kitchen) -> AsyncIterator[grpc.aio.Channel]:
    @asynccontextmanager
    async def build(health: Health) -> AsyncIterator[App]:
        yield App("kitchen", kitchen.register, (SERVICE,), (Doorkeeper(),))

    settings = ServeSettings(port=0, drain_seconds=0, grace_seconds=1, max_request_bytes=LIMIT)
    async with start(build, settings) as port, stage_channel(f"127.0.0.1:{port}") as channel:
        yield channel


@pytest.fixture
def log_lines() -> Any:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


async def send(
    channel: grpc.aio.Channel,
    kind: str,
    *requests: str | bytes,
    metadata: tuple[tuple[str, str], ...] = (),
    **more: Any,
) -> list[str]:
    """Call in the way of the kind; returns the texts of the responses."""
    raw = [r if isinstance(r, bytes) else StringValue(value=r).SerializeToString() for r in requests]
    path, read = f"/{SERVICE}/{kind}", StringValue.FromString
    match kind:
        case "UnaryUnary" | "Later" | "Blocking" | "Missing":
            return [(await channel.unary_unary(path, bytes, read)(raw[0], metadata=metadata, **more)).value]
        case "UnaryStream":
            answers = channel.unary_stream(path, bytes, read)(raw[0], metadata=metadata, **more)
            return [answer.value async for answer in answers]
        case "StreamUnary":
            return [(await channel.stream_unary(path, bytes, read)(iter(raw), metadata=metadata, **more)).value]
    both = channel.stream_stream(path, bytes, read)(iter(raw), metadata=metadata, **more)
    return [answer.value async for answer in both]


async def refused(channel: grpc.aio.Channel, kind: str, *requests: str | bytes, **more: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await send(channel, kind, *requests, **more)
    return raised.value


def counted(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    async def test_answers(self, channel: grpc.aio.Channel, kind: str) -> None:
        first = ["first"] if kind == "UnaryStream" else []
        assert await send(channel, kind, "soup") == [*first, "done: soup"]

    async def test_a_catalogue_error_arrives_whole(self, channel: grpc.aio.Channel, kind: str) -> None:
        error = from_rpc_error(await refused(channel, kind, "not found"))
        assert error == DOCUMENT_NOT_FOUND.error("No such document.", metadata={"document": "d1"})

    @pytest.mark.parametrize("bug", ["bug", "write nothing"])
    async def test_a_bug_is_internal_with_an_id_and_without_its_words(
        self, channel: grpc.aio.Channel, kind: str, bug: str, log_lines: list[dict[str, Any]]
    ) -> None:
        error = from_rpc_error(await refused(channel, kind, bug))
        assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert "secret" not in str(error)
        (line,) = [line for line in log_lines if line["event"] == "unexpected error"]
        assert line["error_id"] == error.metadata["error_id"]

    async def test_an_abort_passes(self, channel: grpc.aio.Channel, kind: str) -> None:
        error = await refused(channel, kind, "abort")
        assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "aborted")

    @pytest.mark.parametrize("raw", [BROKEN_UTF8, NOT_A_MESSAGE], ids=["broken UTF-8", "no message"])
    async def test_bytes_that_do_not_parse(self, channel: grpc.aio.Channel, kind: str, raw: bytes) -> None:
        error = from_rpc_error(await refused(channel, kind, raw))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")

    async def test_a_request_over_the_limit(self, channel: grpc.aio.Channel, kind: str) -> None:
        error = from_rpc_error(await refused(channel, kind, "x" * LIMIT))
        assert (error.reason, error.metadata) == ("REQUEST_TOO_LARGE", {"limit_bytes": str(LIMIT)})

    async def test_the_services_own_interceptor_stands_inside(self, channel: grpc.aio.Channel, kind: str) -> None:
        error = from_rpc_error(await refused(channel, kind, "soup", metadata=(("x-door", "closed"),)))
        assert error.message == "The door is closed."

    async def test_cancellation_reaches_the_servicer(
        self, channel: grpc.aio.Channel, kind: str, kitchen: Kitchen, log_lines: list[dict[str, Any]]
    ) -> None:
        call = asyncio.create_task(send(channel, kind, "wait"))
        await asyncio.wait_for(kitchen.begun.wait(), 10)
        call.cancel()
        await asyncio.wait_for(kitchen.cancelled.wait(), 10)
        assert await status_of_the_only_request(log_lines) == "CANCELLED"
        assert counted("context_requests_in_flight", operation=f"Kitchen/{kind}") == 0

    async def test_the_callers_time_is_up(
        self, channel: grpc.aio.Channel, kind: str, kitchen: Kitchen, log_lines: list[dict[str, Any]]
    ) -> None:
        assert (await refused(channel, kind, "wait", timeout=0.3)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(kitchen.cancelled.wait(), 10)
        assert await status_of_the_only_request(log_lines) == "DEADLINE_EXCEEDED"

    async def test_is_measured(self, channel: grpc.aio.Channel, kind: str) -> None:
        operation = f"Kitchen/{kind}"

        def figures() -> tuple[float, ...]:
            count = "context_request_duration_seconds_count"
            return (
                counted(count, operation=operation, status="OK"),
                counted(count, operation=operation, status="NOT_FOUND"),
                counted("context_errors_total", operation=operation, error_type="DOCUMENT_NOT_FOUND"),
                counted("context_errors_total", operation=operation, error_type="ABORTED"),
            )

        before = figures()
        await send(channel, kind, "soup")
        await refused(channel, kind, "not found")
        await refused(channel, kind, "abort")
        # An aborted call's figures come after its status: the client may be faster.
        async with asyncio.timeout(10):
            while figures()[3] == before[3]:  # noqa: ASYNC110  # a metric sets no event
                await asyncio.sleep(0.01)
        assert tuple(after - b for after, b in zip(figures(), before, strict=True)) == (1, 1, 1, 1)


async def status_of_the_only_request(lines: list[dict[str, Any]]) -> str:
    async with asyncio.timeout(10):
        while not (requests := [line for line in lines if line["event"] == "request"]):  # noqa: ASYNC110  # a log line sets no event
            await asyncio.sleep(0.01)
    (line,) = requests
    return str(line["status"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2_3:4", True), ("x" * 64, True), ("x" * 65, False), ("what is love", False), ("", False), (None, False)],
)
async def test_the_request_id_is_the_callers_or_new(
    channel: grpc.aio.Channel, log_lines: list[dict[str, Any]], given: str | None, kept: bool
) -> None:
    call = channel.unary_unary(f"/{SERVICE}/UnaryUnary", bytes, StringValue.FromString)(
        StringValue(value="metadata").SerializeToString(),
        metadata=() if given is None else (("x-request-id", given),),
    )
    passed_on = (await call).value
    request_id = (await call.trailing_metadata())["x-request-id"]
    assert (request_id == given) is kept
    assert passed_on == str((("x-request-id", request_id),))
    (line,) = [line for line in log_lines if line["event"] == "request"]
    assert (line["request_id"], line["operation"]) == (request_id, "Kitchen/UnaryUnary")


async def test_an_error_carries_the_request_id_too(channel: grpc.aio.Channel, log_lines: list[dict[str, Any]]) -> None:
    error = await refused(channel, "UnaryUnary", "not found", metadata=(("x-request-id", "r-7"),))
    assert ("x-request-id", "r-7") in tuple(error.trailing_metadata())
    # The line of an aborted call comes after its status: the client may be faster.
    await eventually("the call is logged", lambda: any(line["event"] == "request" for line in log_lines))
    (line,) = [line for line in log_lines if line["event"] == "request"]
    assert (line["status"], line["reason"]) == ("NOT_FOUND", "DOCUMENT_NOT_FOUND")


async def test_each_status_is_measured_as_itself(channel: grpc.aio.Channel) -> None:
    def measured() -> list[float]:
        name, operation = "context_request_duration_seconds_count", "Kitchen/UnaryUnary"
        return [counted(name, operation=operation, status=status) for status in ("NOT_FOUND", "OK", "ABORTED")]

    before = measured()
    for request in ("not found", "soup", "abort", "soup", "not found", "soup"):
        if request == "soup":
            await send(channel, "UnaryUnary", request)
        else:
            await refused(channel, "UnaryUnary", request)
    # An aborted call's figures come after its status: the client may be faster.
    expected = [then + more for then, more in zip(before, (2, 3, 1), strict=True)]
    await eventually("all are measured", lambda: measured() == expected)


async def test_requests_side_by_side_keep_their_ids_apart(channel: grpc.aio.Channel) -> None:
    answers = await asyncio.gather(
        *(send(channel, "UnaryUnary", "metadata", metadata=(("x-request-id", f"r{n}"),)) for n in range(20))
    )
    assert answers == [[str((("x-request-id", f"r{n}"),))] for n in range(20)]


async def test_a_servicer_may_go_on_after_a_bad_request_in_a_stream(channel: grpc.aio.Channel) -> None:
    answers = await send(channel, "Tolerant", "a", BROKEN_UTF8, "x" * LIMIT, "b")
    assert answers == ["done: a", "MALFORMED_REQUEST", "REQUEST_TOO_LARGE", "done: b"]


async def test_what_a_servicer_does_not_override_is_unimplemented_with_a_reason(channel: grpc.aio.Channel) -> None:
    error = from_rpc_error(await refused(channel, "Later", "x"))
    assert (error.code, error.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
    assert "Kitchen/Later" in error.message


async def test_an_unknown_method_is_unimplemented(channel: grpc.aio.Channel) -> None:
    assert (await refused(channel, "Missing", "x")).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_servicer_that_would_block_the_loop_is_not_called(channel: grpc.aio.Channel) -> None:
    assert from_rpc_error(await refused(channel, "Blocking", "x")).reason == "INTERNAL"


async def test_health_and_reflection_answer_and_are_nobodys_requests(
    channel: grpc.aio.Channel, log_lines: list[dict[str, Any]]
) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", SERVICE):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    names = {
        s.name
        async for reply in stub.ServerReflectionInfo(iter([request]))
        for s in reply.list_services_response.service
    }
    assert SERVICE in names
    assert log_lines == []
