"""How many requests and streams a gateway takes on at a time, and of whom."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scic import Client, errors
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import corpus_service_pb2_grpc, job_service_pb2_grpc
from scic.gateway.v1 import job_service_pb2 as jobs
from services.chassis.interceptors import Context, Method, composed
from services.gateway.admission.request_bound import RequestBound
from services.gateway.admission.stream_bound import StreamBound
from services.gateway.callers.authentication import Authentication
from services.gateway.callers.principal import parse_keys
from tests.rpc.limited_gateway import KEYS, as_key, ask, document, gateway, keys_json, refused
from tests.valkey import Valkey
from tests.waiting import LONG, eventually


@pytest.mark.parametrize(
    ("under_way", "served", "turned_away"),
    [
        pytest.param(15, ["acme-low", "acme"], [], id="below"),
        pytest.param(16, ["acme", "acme-high"], ["acme-low", "nobody"], id="80 %"),
        pytest.param(19, ["acme-high"], ["acme-low", "acme"], id="95 %"),
        pytest.param(20, [], ["acme-low", "acme", "acme-high"], id="100 %"),
    ],
)
async def test_above_the_bound_the_lower_priorities_are_refused_and_health_never_is(
    server: Valkey, under_way: int, served: list[str], turned_away: list[str]
) -> None:
    async with gateway(server, max_requests=20) as (contexts, address), AsyncExitStack() as stack:
        contexts.go_on.clear()
        holder = await stack.enter_async_context(Client(address, api_key="acme-high"))
        held = [asyncio.create_task(ask(holder)) for _ in range(under_way)]
        await eventually("all are under way", lambda: contexts.entered == under_way)
        for key in turned_away:
            async with Client(address, api_key=key) as client:
                error = await refused(client)
            assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert error.metadata == {"resource": "requests"}
            assert error.retry_after is not None
            assert 0.5 <= error.retry_after <= 1.5
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=LONG)
        assert contexts.entered == under_way
        if served:
            client = await stack.enter_async_context(Client(address, api_key=served[0]))
            held.append(asyncio.create_task(ask(client)))
            await eventually("it is let in", lambda: contexts.entered == under_way + 1)
        contexts.go_on.set()
        await asyncio.gather(*held)
        for key in KEYS:
            async with Client(address, api_key=key) as client:
                await ask(client)


async def test_who_leaves_makes_room(server: Valkey) -> None:
    async with gateway(server, max_requests=20) as (contexts, address), Client(address, api_key="acme") as client:
        contexts.go_on.clear()
        held = [asyncio.create_task(ask(client)) for _ in range(19)]
        await eventually("all are under way", lambda: contexts.entered == 19)
        assert (await refused(client)).reason == "OVERLOADED"
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        contexts.go_on.set()

        async def there_is_room() -> bool:
            try:
                return bool(await ask(client))
            except errors.ScicError:
                return False

        await eventually("there is room", there_is_room)


async def test_requests_that_come_all_at_once_are_counted_as_their_work_begins() -> None:
    keys = parse_keys(keys_json(), origin="test")
    method = Method("/scic.gateway.v1.ContextService/BuildContext", False, False)
    go_on, entered = asyncio.Event(), 0

    async def work(request: object, context: Context) -> None:
        nonlocal entered
        entered += 1
        await go_on.wait()

    class Call:
        def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
            return (("authorization", "Bearer acme-high"),)

    call: Any = RequestBound(keys, 20).wrap(method, work)
    all_at_once = [asyncio.create_task(call(None, Call())) for _ in range(30)]
    await asyncio.sleep(0)
    go_on.set()
    outcomes = await asyncio.gather(*all_at_once, return_exceptions=True)
    assert entered == 20
    assert sum(isinstance(outcome, errors.ScicError) for outcome in outcomes) == 10


async def test_what_is_refused_is_not_even_parsed(server: Valkey) -> None:
    async with gateway(server, max_requests=20) as (contexts, address), AsyncExitStack() as stack:
        contexts.go_on.clear()
        client = await stack.enter_async_context(Client(address, api_key="acme-high"))
        held = [asyncio.create_task(ask(client)) for _ in range(20)]
        await eventually("all are under way", lambda: contexts.entered == 20)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/scic.gateway.v1.ContextService/BuildContext"
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff no message", metadata=(("authorization", "Bearer acme"),))
        assert contexts.parsed == 20
        assert errors.from_rpc_error(caught.value).reason == "OVERLOADED"
        contexts.go_on.set()
        await asyncio.gather(*held)


def test_all_that_a_call_goes_through_is_one_interceptor_for_grpc() -> None:
    """Grpc pays for each of a server's anew at every call, the more so for one that changes the handler."""
    keys = parse_keys(keys_json(), origin="test")
    assert len(composed((RequestBound(keys, 20), Authentication(keys), StreamBound(3)))) == 1


async def test_near_the_bound_messages_of_a_stream_are_read_as_ever(server: Valkey) -> None:
    async with gateway(server, max_requests=20) as (contexts, address), AsyncExitStack() as stack:
        contexts.go_on.clear()
        client = await stack.enter_async_context(Client(address, api_key="acme-high"))
        held = [asyncio.create_task(ask(client)) for _ in range(18)]
        await eventually("all are under way", lambda: contexts.entered == 18)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        call = corpus_service_pb2_grpc.CorpusServiceStub(channel).IngestDocuments(metadata=as_key("acme-high"))
        for name in ("one", "two"):
            await call.write(corpus_pb.IngestDocumentsRequest(document=document(name)))
            response = await call.read()
            assert isinstance(response, corpus_pb.IngestDocumentsResponse)
            assert response.document_id == name
        await call.done_writing()
        contexts.go_on.set()
        await asyncio.gather(*held)


async def test_a_key_has_so_many_streams_and_they_take_no_requests_of_others(server: Valkey) -> None:
    async with (
        gateway(server, max_requests=20, max_streams=40) as (contexts, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        contexts.go_on.clear()
        calls = [stub.WatchJob(jobs.WatchJobRequest(job_id="0" * 32), metadata=as_key("acme")) for _ in range(40)]
        for call in calls:
            await call.read()
        for method in (
            stub.WatchJob(jobs.WatchJobRequest(job_id="0" * 32), metadata=as_key("acme")),
            corpus_service_pb2_grpc.CorpusServiceStub(channel).IngestDocuments(metadata=as_key("acme")),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method.read()
            error = errors.from_rpc_error(caught.value)
            assert (error.reason, error.metadata) == ("OVERLOADED", {"resource": "streams"})
        other = stub.WatchJob(jobs.WatchJobRequest(job_id="0" * 32), metadata=as_key("other"))
        await other.read()
        contexts.go_on.set()
        async with Client(address, api_key="acme-low") as client:
            await ask(client)
        for call in calls:
            while await call.read() is not grpc.aio.EOF:
                pass
        again = stub.WatchJob(jobs.WatchJobRequest(job_id="0" * 32), metadata=as_key("acme"))
        assert len([event async for event in again]) == 5
