"""A caller that leaves, or whose time is up: every stage stops, and the metric shows how soon."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import platformdirs
import pytest

from scic.composer.v1 import composer_service_pb2 as composer
from scic.composer.v1 import composer_service_pb2_grpc as composer_rpc
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.compressor.v1 import compressor_service_pb2_grpc as compressor_rpc
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import context_service_pb2_grpc as rpc
from scic.type.v1 import source_pb2
from services.chassis import metrics
from services.chassis.app import App
from services.chassis.deadline import DeadlinePolicy
from services.chassis.interceptors import Context
from services.chassis.server import start
from services.chassis.settings import ServeSettings
from services.composer.app import build as build_composer
from services.composer.settings import ComposerSettings
from services.compressor.app import build as build_compressor
from services.compressor.settings import CompressorSettings
from services.gateway.building.builder import ContextBuilder
from services.gateway.callers.principal import Principal
from services.gateway.guard.guard import Guard
from services.gateway.profiles.profile import default_profile
from services.gateway.stages.stage_error import StageError
from tests.fake_cache import FakeCache
from tests.fake_contexts import contexts_of
from tests.fakes import FakeComposer, FakeCompressor, FakeSelector, OneProfile, WordDetectors, ladder_of
from tests.waiting import eventually

MODELS = Path(platformdirs.user_cache_dir("scic")) / "models"
COMMON: dict[str, Any] = {"port": 0, "metrics_port": None, "drain_seconds": 0, "grace_seconds": 1}
ANNA = Principal("anna", "acme", frozenset())
POLICY = DeadlinePolicy(default_seconds=10.0, cap_seconds=60.0)
SENTENCES = "The heron stands still and waits. It eats fish, frogs and now and then a mouse. "


class TestSettings(ServeSettings):
    """Of a server in this process."""

    __test__ = False


def sample(name: str, operation: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, {"operation": operation}) or 0.0


def in_flight(operation: str) -> float:
    return sample("context_requests_in_flight", operation)


def went_on(operation: str) -> tuple[float, float]:
    """How many calls and pieces of work were cut short, and the seconds they went on after that."""
    name = "context_work_after_cancel_seconds"
    return sample(f"{name}_count", operation), sample(f"{name}_sum", operation)


class Hanging:
    """A stage that does not answer in its time, and notes who was stopped; that takes it `lingers` seconds."""

    def __init__(self) -> None:
        self.begun = self.stopped = 0
        self.lingers = 0.0

    async def hang(self, _: Any, *, timeout: float) -> Any:
        self.begun += 1
        try:
            async with asyncio.timeout(timeout):
                await asyncio.Event().wait()
        except TimeoutError as error:
            raise StageError("stage", "DEADLINE_EXCEEDED") from error
        finally:
            if self.lingers:
                await asyncio.sleep(self.lingers)
            self.stopped += 1


class Gateway:
    """Builds contexts over stages in this process, one of which hangs."""

    def __init__(self, hangs: str, lingers: float = 0.0) -> None:
        self.hanging = Hanging()
        self.hanging.lingers = lingers
        selector, stage, writer = FakeSelector(), FakeCompressor(), FakeComposer()
        selector.store("acme", "guide.md", "Drain the replica first.")
        for name, owner, method in (
            ("select", selector, "select"),
            ("compress", stage, "compress"),
            ("compose", writer, "compose"),
        ):
            if name == hangs:
                setattr(owner, method, self.hanging.hang)
        self._contexts = contexts_of(
            ContextBuilder(ladder_of(selector, lambda work: work.close()), stage, writer, POLICY.clock),
            cache=FakeCache(),
            selector=selector,
            profiles=OneProfile(default_profile("gpt-4o")),
            guard=Guard(WordDetectors()),
            spawn=lambda work: work.close(),
        )

    async def build(self, request: pb.BuildContextRequest, context: Context) -> pb.BuildContextResponse:
        deadline = POLICY.of(context)
        return (await self._contexts.build(ANNA, await self._contexts.resolve(ANNA, request), deadline)).message


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[Any]:
    def register(server: grpc.aio.Server) -> None:
        handler = grpc.unary_unary_rpc_method_handler(
            gateway.build,
            request_deserializer=pb.BuildContextRequest.FromString,
            response_serializer=pb.BuildContextResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("scic.gateway.v1.ContextService", {"BuildContext": handler})
        server.add_generic_rpc_handlers((service,))

    @asynccontextmanager
    async def build(_: Any) -> AsyncIterator[App]:
        yield App("gateway", register, ())

    async with (
        start(build, TestSettings(**COMMON)) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield rpc.ContextServiceStub(channel)


_LATE = grpc.StatusCode.DEADLINE_EXCEEDED
OPERATION = "ContextService/BuildContext"


def asking(number: int) -> pb.BuildContextRequest:
    return pb.BuildContextRequest(question=f"Why {number}?", max_tokens=500)


@pytest.mark.parametrize("different", [pytest.param(8, id="each for itself"), pytest.param(1, id="all for the same")])
@pytest.mark.parametrize("hangs", ["select", "compress", "compose"])
async def test_callers_that_leave_stop_the_stage_they_wait_for(hangs: str, different: int) -> None:
    gateway = Gateway(hangs)
    count, seconds = went_on(OPERATION)
    async with serving(gateway) as stub:
        calls = [stub.BuildContext(asking(number % different)) for number in range(8)]
        await eventually("all of them wait", lambda: in_flight(OPERATION) == 8)
        await eventually("for what runs", lambda: gateway.hanging.begun == different)
        for call in calls[1:]:
            call.cancel()
        await eventually("one is left", lambda: in_flight(OPERATION) == 1)
        await eventually("what it waits for goes on", lambda: gateway.hanging.stopped == different - 1)
        calls[0].cancel()
        await eventually("all have stopped", lambda: gateway.hanging.stopped == different)
        await eventually("each is measured", lambda: went_on(OPERATION)[0] == count + 8 + different)
    assert in_flight(OPERATION) == 0
    assert went_on(OPERATION)[1] - seconds < 0.5


async def test_what_goes_on_after_the_last_caller_has_left_is_seen() -> None:
    gateway = Gateway("compress", lingers=0.3)
    count, seconds = went_on(OPERATION)
    async with serving(gateway) as stub:
        calls = [stub.BuildContext(asking(0)) for _ in range(2)]
        await eventually("both wait", lambda: in_flight(OPERATION) == 2 and gateway.hanging.begun == 1)
        for call in calls:
            call.cancel()
        await eventually("each is measured", lambda: went_on(OPERATION)[0] == count + 3)
    assert went_on(OPERATION)[1] - seconds >= 0.3


@pytest.mark.parametrize("seconds", [0.001, 0.005, 0.03, 2.0])
@pytest.mark.parametrize("hangs", ["", "select", "compress", "compose"])
async def test_a_hurried_caller_gets_a_valid_reply_or_nothing_and_nothing_goes_on(hangs: str, seconds: float) -> None:
    gateway = Gateway(hangs)
    async with serving(gateway) as stub:
        for number in range(1 if seconds > 1 else 5):
            try:
                built = await stub.BuildContext(asking(number), timeout=seconds)
            except grpc.aio.AioRpcError as error:
                code = error.code()
            else:
                code = grpc.StatusCode.OK
                assert built.messages[-1].content == f"Why {number}?"
            # A machine that is busy may need 30 ms for nothing at all.
            assert code == grpc.StatusCode.OK or (code == _LATE and seconds < 1)
        await eventually("no request is worked on", lambda: in_flight(OPERATION) == 0)
        await eventually("nothing goes on", lambda: gateway.hanging.stopped == gateway.hanging.begun)


async def cut_short(call: Awaitable[Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_encoder_reads_no_further_passage_once_nobody_waits() -> None:
    operation = "CompressorService/Prepare"
    passages = [compressor.RawPassage(text=SENTENCES * 12, kind=source_pb2.SOURCE_KIND_DOCS)] * 32
    count, seconds = went_on(operation)
    settings = CompressorSettings(model_dir=MODELS, **COMMON)
    async with (
        start(build_compressor(settings), settings) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = compressor_rpc.CompressorServiceStub(channel)
        begin = asyncio.get_running_loop().time()
        await stub.Prepare(compressor.PrepareRequest(passages=passages[:2]))
        one = (asyncio.get_running_loop().time() - begin) / 2
        # Eight calls for one thread: one has begun, the others wait in its queue.
        await asyncio.gather(
            *(cut_short(stub.Prepare(compressor.PrepareRequest(passages=passages), timeout=0.2)) for _ in range(8))
        )
        # The thread is free: nothing of 250 passages is in its way.
        await stub.Prepare(compressor.PrepareRequest(passages=passages[:1]))
    now, spent = went_on(operation)
    assert now >= count + 8
    assert spent - seconds < 40 * one, "the time of a few passages, and not of all"


async def test_a_long_prompt_of_a_caller_that_left_is_dropped_from_the_queue() -> None:
    operation = "ComposerService/Compose"
    evidence = [composer.EvidenceInput(text=SENTENCES * 100)] * 50
    request = composer.ComposeRequest(question="Why?", evidence=evidence, max_tokens=1_000_000, encoding="o200k_base")
    settings = ComposerSettings(**COMMON)
    count, seconds = went_on(operation)
    async with (
        start(build_composer(settings), settings) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub: Any = composer_rpc.ComposerServiceStub(channel)
        with ThreadPoolExecutor(1) as pool:
            asyncio.get_running_loop().set_default_executor(pool)
            gate = threading.Event()
            pool.submit(gate.wait, 60)
            calls = [stub.Compose(request) for _ in range(8)]
            await eventually("all wait for a thread", lambda: in_flight(operation) == 8)
            for call in calls:
                call.cancel()
            await eventually("no request is worked on", lambda: in_flight(operation) == 0)
            gate.set()
    now, spent = went_on(operation)
    assert now == count + 8, "none of them was begun"
    assert spent - seconds < 0.5
