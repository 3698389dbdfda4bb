"""A gateway with limits and bounds, its API but for what they hold played, and its callers."""

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from redis.asyncio import Redis

from scic import Client, errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as jobs
from services.chassis.app import App
from services.chassis.breaker import Breaker
from services.chassis.interceptors import Context
from services.chassis.server import start
from services.gateway.admission.request_bound import RequestBound
from services.gateway.admission.stream_bound import StreamBound
from services.gateway.callers.authentication import Authentication
from services.gateway.callers.principal import parse_keys
from services.gateway.connections import RETRY
from services.gateway.limits.costs import ContextTokens
from services.gateway.limits.interceptor import Limiting
from services.gateway.limits.limiter import Limiter
from services.gateway.limits.redis_log import RedisUsageLog
from services.gateway.limits.rule import Rule, Rules
from services.gateway.profiles.ports import ResolvedProfile
from services.gateway.profiles.profile import default_profile
from services.gateway.redis.calls import Patience
from services.gateway.settings import GatewaySettings
from services.gateway.sources.declarations import declared_sources
from tests.valkey import Valkey
from tests.waiting import LONG

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


def as_key(key: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),)


def document(name: str) -> corpus_pb.DocumentInput:
    return corpus_pb.DocumentInput(document_id=name, content=b"It is so.")
