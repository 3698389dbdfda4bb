"""The client against a real server on a free port that answers what the test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_status import rpc_status

from scic import Client, ScicError, errors
from scic.client.policy import CHANNEL_OPTIONS, UNARY_TIMEOUT
from scic.gateway.v1 import context_service_pb2, context_service_pb2_grpc, corpus_service_pb2_grpc
from scic.gateway.v1 import corpus_service_pb2 as corpus


@dataclass
class Server(context_service_pb2_grpc.ContextServiceServicer, corpus_service_pb2_grpc.CorpusServiceServicer):
    """Notes how it was called; fails as often as told."""

    failures: list[grpc.StatusCode | errors.ScicError] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    delay: float = 0
    taken: int = 0
    breaks_after: int | None = None
    address: str = ""
    versions: list[int] = field(default_factory=list)
    """What writes say is the version of the corpus, one a write; then 0."""
    demanded: list[int | None] = field(default_factory=list)
    """Versions that contexts were to be of; None where the cache was not spoken of."""

    async def _enter(self, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        self.seen.append({"authorization": metadata.get("authorization"), "remaining": context.time_remaining()})
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, ScicError):
                await context.abort_with_status(rpc_status.to_status(errors.to_status(failure)))
            await context.abort(failure, "no")

    async def BuildContext(self, request: Any, context: Any) -> context_service_pb2.BuildContextResponse:
        await self._enter(context)
        self.demanded.append(request.cache.min_corpus_version if request.HasField("cache") else None)
        await asyncio.sleep(self.delay)
        return context_service_pb2.BuildContextResponse(request_id=request.question)

    async def PlanContext(self, request: Any, context: Any) -> context_service_pb2.PlanContextResponse:
        self.demanded.append(request.context.cache.min_corpus_version if request.context.HasField("cache") else None)
        return context_service_pb2.PlanContextResponse()

    async def ListDocuments(self, request: Any, context: Any) -> corpus.ListDocumentsResponse:
        await self._enter(context)
        page = int(request.page_token or 0)
        following = str(page + 1) if page < 2 else ""
        return corpus.ListDocumentsResponse(
            documents=[corpus.Document(document_id=f"{page}-{n}") for n in range(2)], next_page_token=following
        )

    async def IngestDocuments(self, requests: Any, context: Any) -> AsyncIterator[corpus.IngestDocumentsResponse]:
        await self._enter(context)
        await context.send_initial_metadata(())
        async for request in requests:
            if self.taken == self.breaks_after:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "leaving")
            self.taken += 1
            version = self.versions.pop(0) if self.versions else 0
            yield corpus.IngestDocumentsResponse(
                document_id=request.document.document_id, index=self.taken - 1, corpus_version=version
            )

    async def DeleteDocuments(self, request: Any, context: Any) -> corpus.DeleteDocumentsResponse:
        return corpus.DeleteDocumentsResponse(corpus_version=self.versions.pop(0))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    servicer, server = Server(), grpc.aio.server()  # type: ignore[abstract]  # the rest is not called
    context_service_pb2_grpc.add_ContextServiceServicer_to_server(servicer, server)
    corpus_service_pb2_grpc.add_CorpusServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield servicer
    await server.stop(0)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with Client(server.address, api_key="scic_key") as client:
        yield client


async def test_a_call_carries_the_key_and_leaves_the_deadline_to_the_mesh(server: Server, client: Client) -> None:
    assert (await client.build_context("q", max_tokens=1)).request_id == "q"
    assert server.seen == [{"authorization": "Bearer scic_key", "remaining": None}]


async def test_a_callers_own_timeout_travels(server: Server, client: Client) -> None:
    await client.build_context("q", max_tokens=1, timeout=30)
    assert 20 < server.seen[0]["remaining"] < 40


async def test_a_mesh_that_hangs_is_not_waited_for_without_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = json.loads(dict(CHANNEL_OPTIONS)["grpc.service_config"])
    assert policy["methodConfig"][0]["timeout"] == UNARY_TIMEOUT
    policy["methodConfig"][0]["timeout"] = "2s"
    monkeypatch.setattr("scic.client.client.CHANNEL_OPTIONS", (("grpc.service_config", json.dumps(policy)),))
    server.delay = 60
    async with asyncio.timeout(30), Client(server.address, api_key="k") as client:
        with pytest.raises(ScicError) as caught:
            await client.build_context("q", max_tokens=1)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("failures", "calls", "reason"),
    [
        pytest.param([grpc.StatusCode.UNAVAILABLE], 2, None, id="away once: asked again"),
        pytest.param([grpc.StatusCode.UNAVAILABLE] * 2, 2, "UNAVAILABLE", id="away twice: given up"),
        pytest.param([grpc.StatusCode.INTERNAL], 1, "INTERNAL", id="a bug is not asked for again"),
        pytest.param([grpc.StatusCode.RESOURCE_EXHAUSTED], 1, "RESOURCE_EXHAUSTED", id="nor a full house"),
        pytest.param([errors.UNKNOWN_MODEL.error("no")], 1, "UNKNOWN_MODEL", id="nor a mistake of the caller"),
    ],
)
async def test_retries(server: Server, client: Client, failures: list[Any], calls: int, reason: str | None) -> None:
    server.failures = list(failures)
    if reason is None:
        await client.build_context("q", max_tokens=1)
    else:
        with pytest.raises(ScicError) as caught:
            await client.build_context("q", max_tokens=1)
        assert caught.value.reason == reason
    assert len(server.seen) == calls


async def test_an_error_arrives_as_it_was_raised(server: Server, client: Client) -> None:
    sent = errors.BUDGET_TOO_SMALL.error(
        "too small", metadata={"required_tokens": "55"}, field_violations=[("max_tokens", "must be at least 55")]
    )
    server.failures = [sent]
    with pytest.raises(ScicError) as caught:
        await client.build_context("q", max_tokens=1)
    assert caught.value == sent


async def test_nobody_there_is_an_error_of_ours() -> None:
    async with Client("127.0.0.1:1", api_key="k") as client:
        with pytest.raises(ScicError) as caught:
            await client.build_context("q", max_tokens=1)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


async def test_records_come_page_by_page_as_they_are_wanted(server: Server, client: Client) -> None:
    async with aclosing(client.list_documents()) as listing:  # type: ignore[type-var]  # an async generator
        first = await anext(listing)
        assert (first.document_id, len(server.seen)) == ("0-0", 1)
        rest = [document.document_id async for document in listing]
    assert rest == ["0-1", "1-0", "1-1", "2-0", "2-1"]
    assert len(server.seen) == 3


def documents(count: int) -> list[corpus.DocumentInput]:
    return [corpus.DocumentInput(document_id=f"d{number}") for number in range(count)]


async def one_by_one(count: int) -> AsyncIterator[corpus.DocumentInput]:
    for document in documents(count):
        yield document


@pytest.mark.parametrize("supply", [documents, one_by_one], ids=["iterable", "async iterable"])
async def test_documents_go_in_one_stream(server: Server, client: Client, supply: Callable[[int], Any]) -> None:
    results = [result.document_id async for result in client.ingest_documents(supply(20))]
    assert results == [f"d{number}" for number in range(20)]
    assert server.seen == [{"authorization": "Bearer scic_key", "remaining": None}]


async def test_who_leaves_early_ends_the_stream(server: Server, client: Client) -> None:
    async with aclosing(client.ingest_documents(one_by_one(5))) as results:  # type: ignore[type-var]  # as above
        assert (await anext(results)).document_id == "d0"


async def test_a_refused_stream_says_why_whatever_was_being_sent(server: Server, client: Client) -> None:
    large = [corpus.DocumentInput(document_id=f"d{number}", content=b"x" * 50_000) for number in range(100)]
    for _ in range(20):  # as long as documents were sent before the answer, every second try said INTERNAL
        server.failures = [errors.ROLE_REQUIRED.error("no", metadata={"role": "writer"})]
        with pytest.raises(ScicError) as caught:
            [result async for result in client.ingest_documents(large)]
        assert caught.value.reason == "ROLE_REQUIRED"


async def test_a_stream_that_breaks_off_says_that_it_may_be_sent_again(server: Server, client: Client) -> None:
    large = [corpus.DocumentInput(document_id=f"d{number}", content=b"x" * 50_000) for number in range(200)]
    server.breaks_after = 20
    with pytest.raises(ScicError) as caught:
        [result async for result in client.ingest_documents(large)]
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


async def test_a_client_finds_what_it_has_written(server: Server, client: Client) -> None:
    await client.build_context("before", max_tokens=1)
    server.versions = [7, 9, 8, 0, 12, 11]
    assert len([result async for result in client.ingest_documents(documents(4))]) == 4
    await client.build_context("after writing", max_tokens=1)
    await client.delete_documents(["d1"])
    await client.delete_documents(["d2"])
    await client.build_context("after deleting", max_tokens=1)
    await client.plan_context("planned", max_tokens=1, cache="refresh")
    await client.build_context("an older one will do", max_tokens=1, min_corpus_version=3)
    await client.build_context("any will do", max_tokens=1, min_corpus_version=0)
    assert server.demanded == [None, 9, 12, 12, 3, 0]
    assert client.corpus_version == 12


async def test_a_client_that_need_not_find_what_it_has_written(server: Server) -> None:
    async with Client(server.address, api_key="scic_key", read_your_writes=False) as client:
        server.versions = [7]
        assert len([result async for result in client.ingest_documents(documents(1))]) == 1
        await client.build_context("q", max_tokens=1)
        assert (server.demanded, client.corpus_version) == ([None], 7)


async def test_who_is_too_fast_is_told_when_to_come_again(server: Server, client: Client) -> None:
    server.failures = [errors.RATE_LIMITED.error("too many requests", metadata={"rule": "contexts"}, retry_after=2.5)]
    with pytest.raises(ScicError) as caught:
        await client.build_context("q", max_tokens=1)
    assert (caught.value.reason, caught.value.retry_after, len(server.seen)) == ("RATE_LIMITED", 2.5, 1)
