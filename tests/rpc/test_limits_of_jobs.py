"""What jobs pay of the limits: as many requests as they have contexts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from redis.asyncio import Redis

from scic import Client, errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import corpus_service_pb2_grpc, job_service_pb2_grpc
from scic.gateway.v1 import job_service_pb2 as jobs
from services.gateway.limits.redis_log import log_key
from services.gateway.limits.rule import Rule
from tests.rpc.limited_gateway import as_key, ask, document, gateway, refused
from tests.valkey import Valkey
from tests.waiting import eventually


def contexts_of(*max_tokens: int, request_id: str) -> jobs.SubmitJobRequest:
    requests = [pb.BuildContextRequest(question="Why?", max_tokens=number) for number in max_tokens]
    return jobs.SubmitJobRequest(request_id=request_id, contexts=jobs.ContextBatch(requests=requests))


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
