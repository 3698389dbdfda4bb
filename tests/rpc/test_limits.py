"""Limits and the bound on requests over gRPC: a real client, a real server, a real Valkey."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis.asyncio import Redis

from scic import Client, errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2 as jobs
from scic.gateway.v1 import job_service_pb2_grpc
from services.chassis import metrics
from services.chassis.app import App
from services.chassis.breaker import Breaker
from services.chassis.interceptors import Context, Method
from services.chassis.server import start
from services.gateway.admission.request_bound import RequestBound
from services.gateway.authentication import Authentication
from services.gateway.background import Background
from services.gateway.connections import RETRY
from services.gateway.limits.interceptor import Limiting
from services.gateway.limits.limiter import Limiter
from services.gateway.limits.redis_log import RedisUsageLog
from services.gateway.limits.rule import Rule, Rules
from services.gateway.limits.tokens import ContextTokens
from services.gateway.principal import parse_keys
from services.gateway.redis_calls import Patience
from services.gateway.settings import GatewaySettings
from tests.valkey import Valkey
from tests.waiting import LONG, eventually

_CONTEXTS, _JOBS = "scic.gateway.v1.ContextService", "scic.gateway.v1.JobService"
KEYS = {"acme": "normal", "acme-high": "high", "acme-low": "low", "other": "normal", "shadowed": "normal"}


def keys_json() -> str:
    entries = [
        {
            "id": key,
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
            "tenant": key.partition("-")[0],
            "roles": ["reader"],
            "priority": priority,
        }
        for key, priority in KEYS.items()
    ]
    return json.dumps({"keys": entries})


class Contexts:
    """Takes as long as it is let, uses ten tokens, and fails where the question is `fail`."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.entered = 0
        self.parsed = 0

    def parse(self, raw: bytes) -> pb.BuildContextRequest:
        self.parsed += 1
        return pb.BuildContextRequest.FromString(raw)

    async def build(self, request: pb.BuildContextRequest, _: Context) -> pb.BuildContextResponse:
        self.entered += 1
        await self.go_on.wait()
        if request.question == "fail":
            raise errors.STAGE_UNAVAILABLE.error("no")
        return pb.BuildContextResponse(tokens=pb.TokenUsage(total=10))


async def watch(_: jobs.WatchJobRequest, __: Context) -> AsyncIterator[jobs.WatchJobResponse]:
    for _number in range(5):
        yield jobs.WatchJobResponse()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey
    valkey.kill()


@asynccontextmanager
async def gateway(server: Valkey, *rules: Rule, max_requests: int = 1000) -> AsyncIterator[tuple[Contexts, str]]:
    contexts = Contexts()

    @asynccontextmanager
    async def build(_):
        async with AsyncExitStack() as stack:
            redis = await stack.enter_async_context(Redis.from_url(server.url, retry=RETRY, socket_timeout=LONG))
            await redis.flushall()
            background = await stack.enter_async_context(Background())
            log = RedisUsageLog(redis, Breaker("limits-rpc"), patience=Patience(LONG, LONG))

            def register(to):
                builds = grpc.unary_unary_rpc_method_handler(
                    contexts.build, contexts.parse, pb.BuildContextResponse.SerializeToString
                )
                watches = grpc.unary_stream_rpc_method_handler(
                    watch, jobs.WatchJobRequest.FromString, jobs.WatchJobResponse.SerializeToString
                )
                to.add_generic_rpc_handlers(
                    (
                        grpc.method_handlers_generic_handler(_CONTEXTS, {"BuildContext": builds}),
                        grpc.method_handlers_generic_handler(_JOBS, {"WatchJob": watches}),
                    )
                )

            keys = parse_keys(keys_json(), origin="test")
            limiting = Limiting(Limiter(Rules(rules), log), ContextTokens(50), background.spawn)
            yield App("gateway", register, (), (RequestBound(keys, max_requests), Authentication(keys), limiting))

    settings = GatewaySettings(port=0, metrics_port=None, keys=keys_json(), drain_seconds=0, grace_seconds=1)
    async with start(build, settings) as port:
        yield contexts, f"127.0.0.1:{port}"


async def ask(client: Client, question: str = "Why?", max_tokens: int = 100) -> pb.BuildContextResponse:
    return await client.build_context(question, max_tokens=max_tokens)


async def refused(client: Client, **options) -> errors.ScicError:
    with pytest.raises(errors.ScicError) as caught:
        await ask(client, **options)
    return caught.value


async def test_above_the_limit_a_caller_hears_which_rule_and_when_there_is_room(server: Valkey) -> None:
    rule = Rule("per-hour", 3600, requests=3)
    async with gateway(server, rule) as (contexts, address), Client(address, api_key="acme") as client:
        for _ in range(3):
            await ask(client)
        error = await refused(client)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert error.metadata == {"rule": "per-hour", "limit": "3", "unit": "requests", "window_seconds": "3600"}
        assert error.retry_after is not None
        assert 3600 - LONG < error.retry_after <= 3600
        assert contexts.entered == 3
        async with Client(address, api_key="other") as other:
            await ask(other)


async def test_a_request_that_comes_again_when_it_was_told_to_is_let_in(server: Valkey) -> None:
    rule = Rule("short", 0.5, requests=1)
    async with gateway(server, rule) as (_, address), Client(address, api_key="acme") as client:
        await ask(client)
        try:
            await ask(client)
        except errors.ScicError as error:
            told = error.retry_after
        else:
            return  # the machine is so slow that the window was over
        assert told is not None
        await asyncio.sleep(told)
        await ask(client)


async def test_tokens_are_settled_as_used_and_given_back_by_what_fails(server: Valkey) -> None:
    rule = Rule("tokens", 3600, requests=1000, tokens=100)
    async with gateway(server, rule) as (_, address), Client(address, api_key="acme") as client:

        async def lets_in(max_tokens: int) -> bool:
            try:
                await ask(client, max_tokens=max_tokens)
            except errors.ScicError as error:
                return error.metadata["unit"] != "tokens"
            return True

        assert (await refused(client, question="fail", max_tokens=100)).reason == "STAGE_UNAVAILABLE"
        await eventually("the tokens of the failed one are back", lambda: lets_in(100))
        await eventually("90 tokens are left", lambda: lets_in(90))
        assert not await lets_in(90)


async def test_a_request_that_can_never_fit_is_told_no_time(server: Valkey) -> None:
    rule = Rule("tokens", 60, tokens=100)
    async with gateway(server, rule) as (_, address), Client(address, api_key="acme") as client:
        error = await refused(client, max_tokens=101)
        assert (error.reason, error.metadata["rule"], error.retry_after) == ("RATE_LIMITED", "tokens", None)


async def test_a_stream_is_one_request_and_has_rules_of_its_own(server: Valkey) -> None:
    rules = (
        Rule("builds", 3600, method="BuildContext", requests=1),
        Rule("watches", 3600, method="WatchJob", requests=2),
    )
    async with gateway(server, *rules) as (_, address), grpc.aio.insecure_channel(address) as channel:
        watched = job_service_pb2_grpc.JobServiceStub(channel).WatchJob
        metadata = (("authorization", "Bearer acme"),)
        request = jobs.WatchJobRequest(job_id="0" * 32)
        for _ in range(2):
            assert len([event async for event in watched(request, metadata=metadata)]) == 5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [event async for event in watched(request, metadata=metadata)]
        assert errors.from_rpc_error(caught.value).metadata["rule"] == "watches"


async def test_a_shadow_lets_all_through_and_is_seen_in_the_metric(server: Valkey) -> None:
    rule = Rule("watched", 3600, requests=2, shadow=True)
    before = metrics.LIMITED.labels("watched", "shadow")._value.get()
    async with gateway(server, rule) as (_, address), Client(address, api_key="shadowed") as client:
        for _ in range(5):
            await ask(client)
    assert metrics.LIMITED.labels("watched", "shadow")._value.get() == before + 3


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
