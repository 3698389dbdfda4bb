"""Limits and the bound on requests over gRPC: a real client, a real server, a real Valkey."""

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis.asyncio import Redis

from scic import Client, errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import corpus_service_pb2_grpc, job_service_pb2_grpc
from scic.gateway.v1 import job_service_pb2 as jobs
from services.chassis import metrics
from services.chassis.app import App
from services.chassis.breaker import Breaker
from services.chassis.interceptors import Context, Method, composed
from services.chassis.server import start
from services.gateway.admission.request_bound import RequestBound
from services.gateway.admission.stream_bound import StreamBound
from services.gateway.callers.authentication import METHODS, Authentication
from services.gateway.callers.principal import parse_keys
from services.gateway.connections import RETRY
from services.gateway.limits.costs import ContextTokens
from services.gateway.limits.declarations import declared_limits
from services.gateway.limits.interceptor import Limiting
from services.gateway.limits.limiter import Limiter
from services.gateway.limits.redis_log import RedisUsageLog, log_key
from services.gateway.limits.rule import Rule, Rules
from services.gateway.limits.wiring import limiting
from services.gateway.profiles.ports import ResolvedProfile
from services.gateway.profiles.profile import default_profile
from services.gateway.redis.calls import Patience
from services.gateway.settings import GatewaySettings
from services.gateway.sources.declarations import declared_sources
from tests.valkey import Valkey
from tests.waiting import LONG, eventually

_CONTEXTS, _JOBS = "scic.gateway.v1.ContextService", "scic.gateway.v1.JobService"
_CORPUS = "scic.gateway.v1.CorpusService"
KEYS = {"acme": "normal", "acme-high": "high", "acme-low": "low", "other": "normal", "shadowed": "normal"}


def keys_json() -> str:
    entries = [
        {
            "id": key,
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
            "tenant": key.partition("-")[0],
            "roles": ["reader", "writer"],
            "priority": priority,
        }
        for key, priority in KEYS.items()
    ]
    return json.dumps({"keys": entries})


class Contexts:
    """Takes as long as it is let, uses ten tokens, and fails where the question is `fail`."""

    def __init__(self) -> None:
        self.watched = 0
        self.submitted: set[str] = set()
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

    async def submit(self, request: jobs.SubmitJobRequest, _: Context) -> jobs.SubmitJobResponse:
        if request.request_id == "full":
            raise errors.JOB_QUEUE_FULL.error("no")
        if request.request_id == "away":
            raise errors.QUEUE_UNAVAILABLE.error("no")
        created = request.request_id not in self.submitted
        self.submitted.add(request.request_id)
        return jobs.SubmitJobResponse(created=created)

    async def watch(self, _: jobs.WatchJobRequest, __: Context) -> AsyncIterator[jobs.WatchJobResponse]:
        self.watched += 1
        yield jobs.WatchJobResponse()
        await self.go_on.wait()
        for _number in range(4):
            yield jobs.WatchJobResponse()

    async def ingest(
        self, requests: AsyncIterator[corpus_pb.IngestDocumentsRequest], _: Context
    ) -> AsyncIterator[corpus_pb.IngestDocumentsResponse]:
        async for request in requests:
            yield corpus_pb.IngestDocumentsResponse(document_id=request.document.document_id)


class Profiles:
    """Every tenant's: 50 tokens."""

    async def resolve(self, tenant: str, reference: str, unit: str) -> ResolvedProfile:
        profile = default_profile("gpt-4o", declared_sources("{}"), ())
        return ResolvedProfile(dataclasses.replace(profile, max_tokens=50), "", "main")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey
    valkey.kill()


@asynccontextmanager
async def gateway(
    server: Valkey, *rules: Rule, max_requests: int = 1000, max_streams: int = 100
) -> AsyncIterator[tuple[Contexts, str]]:
    contexts = Contexts()

    @asynccontextmanager
    async def build(_):
        async with AsyncExitStack() as stack:
            redis = await stack.enter_async_context(Redis.from_url(server.url, retry=RETRY, socket_timeout=LONG))
            await redis.flushall()
            log = RedisUsageLog(redis, Breaker("limits-rpc"), patience=Patience(LONG, LONG))

            def register(to):
                builds = grpc.unary_unary_rpc_method_handler(
                    contexts.build, contexts.parse, pb.BuildContextResponse.SerializeToString
                )
                watches = grpc.unary_stream_rpc_method_handler(
                    contexts.watch, jobs.WatchJobRequest.FromString, jobs.WatchJobResponse.SerializeToString
                )
                submits = grpc.unary_unary_rpc_method_handler(
                    contexts.submit, jobs.SubmitJobRequest.FromString, jobs.SubmitJobResponse.SerializeToString
                )
                ingests = grpc.stream_stream_rpc_method_handler(
                    contexts.ingest,
                    corpus_pb.IngestDocumentsRequest.FromString,
                    corpus_pb.IngestDocumentsResponse.SerializeToString,
                )
                to.add_generic_rpc_handlers(
                    (
                        grpc.method_handlers_generic_handler(_CONTEXTS, {"BuildContext": builds}),
                        grpc.method_handlers_generic_handler(_JOBS, {"WatchJob": watches, "SubmitJob": submits}),
                        grpc.method_handlers_generic_handler(_CORPUS, {"IngestDocuments": ingests}),
                    )
                )

            keys = parse_keys(keys_json(), origin="test")
            limiter = await stack.enter_async_context(Limiter(Rules(rules), log))
            interceptors = (
                RequestBound(keys, max_requests),
                Authentication(keys),
                StreamBound(max_streams),
                Limiting(limiter, ContextTokens(Profiles())),
            )
            yield App("gateway", register, (), interceptors)

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
        assert str(error) == "rule per-hour allows 3 requests in 3600 s, and they are used up"
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
        assert str(error) == (
            "the call may take 101 tokens; rule tokens allows 100 tokens in 60 s, so it can never pass"
        )


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


def as_key(key: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),)


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


def contexts_of(*max_tokens: int, request_id: str) -> jobs.SubmitJobRequest:
    requests = [pb.BuildContextRequest(question="Why?", max_tokens=number) for number in max_tokens]
    return jobs.SubmitJobRequest(request_id=request_id, contexts=jobs.ContextBatch(requests=requests))


def document(name: str) -> corpus_pb.DocumentInput:
    return corpus_pb.DocumentInput(document_id=name, content=b"It is so.")


def documents_of(count: int, *, request_id: str) -> jobs.SubmitJobRequest:
    documents = [document(f"d{number}") for number in range(count)]
    return jobs.SubmitJobRequest(request_id=request_id, documents=jobs.DocumentBatch(documents=documents))


@asynccontextmanager
async def submitting(address: str) -> AsyncIterator[Callable[[jobs.SubmitJobRequest], Awaitable[str]]]:
    """Submits as acme; gives `OK`, or the rule that refused, or the reason else."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)

        async def submit(request: jobs.SubmitJobRequest) -> str:
            try:
                await stub.SubmitJob(request, metadata=as_key("acme"))
            except grpc.aio.AioRpcError as error:
                told = errors.from_rpc_error(error)
                return told.metadata.get("rule", told.reason)
            return "OK"

        yield submit


async def test_a_job_is_charged_for_its_contexts(server: Valkey) -> None:
    rules = (
        Rule("builds", 3600, method="BuildContext", requests=10, tokens=1000),
        Rule("submits", 3600, method="SubmitJob", requests=3),
        Rule("all", 3600, requests=12),
    )
    async with (
        gateway(server, *rules) as (_, address),
        submitting(address) as submit,
        Client(address, api_key="acme") as client,
    ):
        assert await submit(contexts_of(*[10] * 11, request_id="eleven")) == "builds"
        assert await submit(contexts_of(500, 501, request_id="many tokens")) == "builds"
        assert await submit(contexts_of(100, 100, 0, request_id="three")) == "OK"  # 250 tokens
        assert await submit(contexts_of(500, 251, request_id="above")) == "builds"
        assert await submit(contexts_of(*[10] * 6, request_id="six")) == "OK"
        await ask(client)
        assert (await refused(client)).metadata["rule"] == "builds"
        assert await submit(documents_of(2, request_id="documents")) == "OK"
        assert await submit(documents_of(2, request_id="more documents")) == "submits"


@pytest.mark.parametrize(
    ("contexts", "sentence"),
    [
        (4, "the call counts as 4 requests; rule builds allows 3 requests in 3600 s, so it can never pass"),
        (3, "the call counts as 3 requests; rule builds allows 3 requests in 3600 s, and has no room for it now"),
    ],
    ids=["never fits", "does not fit now"],
)
async def test_a_job_above_a_limit_hears_what_it_counts_as(server: Valkey, contexts: int, sentence: str) -> None:
    rule = Rule("builds", 3600, method="BuildContext", requests=3)
    async with gateway(server, rule) as (_, address), Client(address, api_key="acme") as client:
        await ask(client)
        with pytest.raises(errors.ScicError) as refusal:
            await client.submit_contexts([pb.BuildContextRequest(question="Why?")] * contexts)
        assert str(refusal.value) == sentence


async def test_documents_of_a_job_are_one_request_as_those_of_a_stream(server: Valkey) -> None:
    async with (
        gateway(server, Rule("ingests", 3600, method="IngestDocuments", requests=2)) as (_, address),
        submitting(address) as submit,
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = corpus_service_pb2_grpc.CorpusServiceStub(channel)
        requests = [corpus_pb.IngestDocumentsRequest(document=document(name)) for name in "abc"]
        assert len([one async for one in stub.IngestDocuments(iter(requests), metadata=as_key("acme"))]) == 3
        assert await submit(documents_of(5, request_id="one")) == "OK"
        assert await submit(documents_of(1, request_id="two")) == "ingests"
        assert await submit(contexts_of(1, request_id="contexts")) == "OK"


@pytest.mark.parametrize(
    ("request_id", "outcome", "left"),
    [
        pytest.param("before", "OK", 13, id="submitted before: one request"),
        pytest.param("full", "JOB_QUEUE_FULL", 13, id="refused: one request"),
        pytest.param("away", "QUEUE_UNAVAILABLE", 9, id="perhaps put in: all"),
        pytest.param("new", "OK", 9, id="put in: all"),
    ],
)
async def test_what_a_job_pays(server: Valkey, request_id: str, outcome: str, left: int) -> None:
    rule = Rule("builds", 3600, method="BuildContext", requests=20, tokens=1000)
    async with (
        gateway(server, rule) as (contexts, address),
        submitting(address) as submit,
        Client(address, api_key="acme") as client,
    ):
        assert await submit(contexts_of(*[10] * 6, request_id="before")) == "OK"
        assert await submit(contexts_of(*[10] * 5, request_id=request_id)) == outcome
        done = Redis.from_url(server.url)
        async with done:

            async def charged() -> bool:
                return int(await done.hget(log_key("acme", rule), "requests") or 0) == 20 - left

            await eventually("it is settled", charged)
        for _ in range(left):
            await ask(client, max_tokens=10)
        assert (await refused(client, max_tokens=10)).metadata == {
            "rule": "builds",
            "limit": "20",
            "unit": "requests",
            "window_seconds": "3600",
        }
        assert contexts.entered == left


async def test_a_request_without_a_bound_is_charged_with_its_profiles(server: Valkey) -> None:
    async with (
        gateway(server, Rule("tokens", 3600, tokens=60)) as (_, address),
        Client(address, api_key="acme") as client,
    ):
        await ask(client, max_tokens=0)


async def test_as_many_settlements_as_come_are_settled(server: Valkey) -> None:
    rule = Rule("tokens", 3600, tokens=1_000_000)
    async with (
        gateway(server, rule) as (contexts, address),
        Client(address, api_key="acme") as client,
        Redis.from_url(server.url) as redis,
    ):
        contexts.go_on.clear()
        asked = [asyncio.create_task(ask(client, max_tokens=2000)) for _ in range(400)]
        await eventually("all are under way", lambda: contexts.entered == 400)
        contexts.go_on.set()
        await asyncio.gather(*asked)

        async def settled() -> bool:
            return int(await redis.hget(log_key("acme", rule), "tokens") or 0) == 10 * 400

        await eventually("ten tokens each are charged", settled)


async def test_what_was_used_is_still_written_as_the_gateway_ends(
    server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedisUsageLog.__init__, "__kwdefaults__", {"patience": Patience(LONG, LONG)})
    settings = GatewaySettings(
        keys=keys_json(), redis_url=server.url, limits='[{"name": "tokens", "seconds": 3600, "tokens": 1000}]'
    )
    keys = parse_keys(keys_json(), origin="test")
    method = Method("/scic.gateway.v1.ContextService/BuildContext", False, False)

    class Metadata:
        def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
            return as_key("acme")

    async def answer(_: object, __: Context) -> pb.BuildContextResponse:
        return pb.BuildContextResponse(tokens=pb.TokenUsage(total=10))

    async with Redis.from_url(server.url) as redis:
        await redis.flushall()
        async with AsyncExitStack() as stack:
            (limits,) = await limiting(settings, Profiles(), stack)
            call: Any = Authentication(keys).wrap(method, limits.wrap(method, answer))
            await call(pb.BuildContextRequest(max_tokens=500), Metadata())
        (rule,) = declared_limits(settings.limits, METHODS)
        assert await redis.hget(log_key("acme", rule), "tokens") == b"10"
