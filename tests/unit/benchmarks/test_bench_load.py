"""Load by callers of our own."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from benchmarks.gateway.load import Callers, Sample, offer, quantile_ms, saturate
from benchmarks.ghz import METHOD
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1.degradation_pb2 import Degradation
from services.chassis.interceptors import Context


class _Server:
    """Answers by what the question says."""

    def __init__(self) -> None:
        self.under_way = self.most = self.seen = 0
        self.keys: set[str] = set()

    async def answer(self, request: pb.BuildContextRequest, context: Context) -> pb.BuildContextResponse:
        self.seen += 1
        self.keys |= {str(value) for name, value in context.invocation_metadata() or () if name == "authorization"}
        if request.question == "refuse":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED)
        if request.question == "fail":
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.2 if request.question == "slow" else 0.0)
        self.under_way -= 1
        return pb.BuildContextResponse(degradations=[Degradation()] if request.question == "degrade" else [])


@pytest.fixture
async def server() -> AsyncIterator[tuple[_Server, str]]:
    servicer, running = _Server(), grpc.aio.server()
    service, _, method = METHOD.rpartition("/")
    handler = grpc.unary_unary_rpc_method_handler(
        servicer.answer, pb.BuildContextRequest.FromString, pb.BuildContextResponse.SerializeToString
    )
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = running.add_insecure_port("127.0.0.1:0")
    await running.start()
    yield servicer, f"127.0.0.1:{port}"
    await running.stop(None)


def asked(question: str) -> pb.BuildContextRequest:
    return pb.BuildContextRequest(question=question)


@pytest.mark.parametrize(
    ("question", "good", "refused", "degraded"),
    [
        pytest.param("answer", True, False, False, id="answered"),
        pytest.param("degrade", True, False, True, id="answered less well"),
        pytest.param("refuse", False, True, False, id="refused"),
        pytest.param("fail", False, False, False, id="failed, and not tried again"),
    ],
)
async def test_an_answer_is_told_by_its_status(
    server, question: str, good: bool, refused: bool, degraded: bool
) -> None:
    servicer, address = server
    async with Callers(address, "key", connections=2) as callers:
        (sample,) = await offer(callers, [asked(question)], rate=100)
    assert (sample.good, sample.refused, sample.degraded) == (good, refused, degraded)
    assert servicer.seen == 1
    assert servicer.keys == {"Bearer key"}


async def test_an_open_loop_does_not_wait_for_answers(server) -> None:
    servicer, address = server
    async with Callers(address, "key") as callers:
        samples = await offer(callers, [asked("slow")] * 10, rate=1000)
    assert all(sample.good for sample in samples)
    assert servicer.most > 1


async def test_time_is_counted_from_when_a_request_was_due(server) -> None:
    """A sender who is late has the lateness in its figure: a stalled loop must not hide a stalled server."""
    _, address = server
    async with Callers(address, "key") as callers:
        loop = asyncio.get_running_loop()
        sample = await callers.sample(asked("answer"), loop.time() - 5)
    assert sample.seconds >= 5


async def test_a_closed_loop_keeps_so_many_under_way(server) -> None:
    servicer, address = server
    async with Callers(address, "key") as callers:
        samples, seconds = await saturate(callers, [asked("slow")] * 9, concurrency=3, seconds=30)
    assert len(samples) == 9
    assert servicer.most == 3
    assert seconds >= 3 * 0.2


def test_quantiles_are_of_the_good_answers() -> None:
    samples = [Sample(number / 100, grpc.StatusCode.OK) for number in range(1, 101)]
    samples += [Sample(9.0, grpc.StatusCode.RESOURCE_EXHAUSTED)] * 50
    assert quantile_ms(samples, 0.95) == pytest.approx(950)
    assert quantile_ms([], 0.5) != quantile_ms([], 0.5)  # not a number
