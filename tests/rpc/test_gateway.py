"""The gateway over gRPC: a real client, a real server on port 0, fakes behind the ports."""

import hashlib
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from scic import Client, ScicError, errors
from scic.gateway.v1 import (
    cache_service_pb2,
    cache_service_pb2_grpc,
    context_service_pb2_grpc,
    corpus_service_pb2_grpc,
    job_service_pb2,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    profile_service_pb2,
)
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2 as corpus
from services.chassis.app import App
from services.chassis.server import start
from services.gateway.background import Background
from services.gateway.building.builder import ContextBuilder
from services.gateway.cache.ports import CacheEntry, CacheKey
from services.gateway.cache.servicer import CacheServicer
from services.gateway.callers.authentication import REQUIRED_ROLE, Authentication
from services.gateway.callers.principal import parse_keys
from services.gateway.compress_text.compression import TextCompression
from services.gateway.contexts.recording import Recording
from services.gateway.contexts.servicer import ContextServicer
from services.gateway.corpus.announcer import Announcer
from services.gateway.corpus.corpus import Corpus
from services.gateway.corpus.erasure import Erasure
from services.gateway.corpus.servicer import CorpusServicer
from services.gateway.guard.guard import Guard
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ledger.servicer import LedgerServicer
from services.gateway.profiles.built_in import BuiltInProfiles
from services.gateway.profiles.profile import default_profile
from services.gateway.settings import GatewaySettings
from services.gateway.sources.source import BUILT_IN
from services.gateway.stages.ports import Stages
from tests.fake_cache import FakeCache
from tests.fake_contexts import DEADLINES, contexts_of
from tests.fakes import FakeComposer, FakeJobs, FakeLedger, FakeSelector, PlainCompressor, WordDetectors, ladder_of
from tests.waiting import eventually

FAILED = corpus.IngestDocumentsResponse.OUTCOME_FAILED
KEYS = {
    "acme-writer": ("acme", ["reader", "writer"], []),
    "acme-reader": ("acme", ["reader"], []),
    "acme-operator": ("acme", ["reader", "operator"], []),
    "acme-hr": ("acme", ["reader", "writer"], ["hr"]),
    "acme-admin": ("acme", ["admin"], []),
    "other": ("other", ["reader", "writer", "admin"], ["*"]),
}


def keys_json() -> str:
    return json.dumps(
        {
            "keys": [
                {
                    "id": key,
                    "sha256": hashlib.sha256(key.encode()).hexdigest(),
                    "tenant": tenant,
                    "roles": roles,
                    "groups": groups,
                }
                for key, (tenant, roles, groups) in KEYS.items()
            ]
        }
    )


def document(document_id: str, **fields: Any) -> corpus.DocumentInput:
    return corpus.DocumentInput(document_id=document_id, content=b"Text.", **fields)


async def ingested(client: Client, *documents: corpus.DocumentInput) -> dict[str, corpus.IngestDocumentsResponse]:
    return {result.document_id: result async for result in client.ingest_documents(documents)}


class World:
    def __init__(self) -> None:
        self.selector, self.compressor, self.composer = FakeSelector(), PlainCompressor(), FakeComposer()
        self.cache, self.jobs, self.ledger = FakeCache(), FakeJobs(), FakeLedger()
        self.detectors = WordDetectors()
        self.address = ""

    def client(self, key: str = "acme-writer") -> Client:
        return Client(self.address, api_key=key)


@pytest.fixture
async def world():
    world = World()
    stages = Stages(world.selector, world.compressor, world.composer)
    names = count()

    @asynccontextmanager
    async def build(health):
        async with (
            Background() as background,
            Announcer(world.cache, retry_seconds=0) as announcer,
        ):
            with ThreadPoolExecutor(1) as executor:
                profiles = BuiltInProfiles(default_profile("gpt-4o"))
                contexts = contexts_of(
                    ContextBuilder(
                        ladder_of(world.selector, background.spawn), world.compressor, world.composer, time.monotonic
                    ),
                    cache=world.cache,
                    selector=world.selector,
                    profiles=profiles,
                    guard=Guard(world.detectors),
                    spawn=background.spawn,
                )

                recording = Recording(contexts, world.ledger, time.monotonic, lambda: f"r{next(names)}")
                profile = default_profile("gpt-4o")
                texts = TextCompression(world.compressor, profile, Guard(world.detectors), executor, time.monotonic)

                def register(server):
                    context_service_pb2_grpc.add_ContextServiceServicer_to_server(
                        ContextServicer(recording, texts, DEADLINES), server
                    )
                    corpus_service_pb2_grpc.add_CorpusServiceServicer_to_server(
                        CorpusServicer(
                            Corpus(world.selector, BUILT_IN.holding),
                            Erasure(world.selector, world.cache, announcer, world.jobs, world.ledger, profiles),
                            BatchIngester(stages, announcer, executor, BUILT_IN.holding, world.detectors),
                            DEADLINES,
                        ),
                        server,
                    )
                    cache_service_pb2_grpc.add_CacheServiceServicer_to_server(CacheServicer(world.cache), server)
                    ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(
                        LedgerServicer(world.ledger, recording, DEADLINES), server
                    )

                yield App("gateway", register, (), (Authentication(parse_keys(keys_json(), origin="test")),))

    settings = GatewaySettings(port=0, metrics_port=None, drain_seconds=0, grace_seconds=1, keys=SecretStr(keys_json()))
    async with start(build, settings) as port:
        world.address = f"127.0.0.1:{port}"
        yield world


async def test_a_context_in_five_lines(world):
    world.selector.store("acme", "guide.md", "Drain the replica first.")
    async with world.client() as client:
        built = await client.build_context("How do I stop a replica?", max_tokens=1000)
    assert built.evidence[0].document_id == "guide.md"
    assert built.request_id


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        pytest.param({"question": ""}, "INVALID_FIELD", "question", id="empty question"),
        pytest.param({"question": " \n"}, "INVALID_FIELD", "question", id="blank question"),
        pytest.param({"question": "x" * 8193}, "INVALID_FIELD", "question", id="over-long question"),
        pytest.param({"max_tokens": 0}, "INVALID_FIELD", "max_tokens", id="no budget"),
        pytest.param({"max_tokens": -1}, "INVALID_FIELD", "max_tokens", id="negative budget"),
        pytest.param({"max_tokens": 20}, "BUDGET_TOO_SMALL", "max_tokens", id="budget below the fixed parts"),
        pytest.param({"sources": ["mail"]}, "UNKNOWN_SOURCE", "sources[0].name", id="source"),
        pytest.param({"sources": {"docs": -1}}, "INVALID_FIELD", "sources[0].limit", id="limit"),
        pytest.param({"model": "gpt-99"}, "UNKNOWN_MODEL", "model", id="model"),
        pytest.param({"profile": "vip"}, "UNKNOWN_PROFILE", "profile", id="profile"),
        pytest.param({"filters": {"a b": "c"}}, "INVALID_FIELD", "filter[0].key", id="filter key"),
        pytest.param({"passages": [""]}, "INVALID_FIELD", "passages[0].text", id="empty passage"),
        pytest.param({"request_id": "a b"}, "INVALID_FIELD", "request_id", id="request id"),
    ],
)
@pytest.mark.parametrize("method", ["build_context", "plan_context"])
async def test_bad_input_is_refused_by_field_before_any_work(world, fields, reason, field, method):
    arguments = {"question": "Why?", "max_tokens": 1000, **fields}
    async with world.client() as client:
        with pytest.raises(ScicError) as caught:
            await getattr(client, method)(arguments.pop("question"), **arguments)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.reason == reason
    named = {violation.field.removeprefix("context.") for violation in caught.value.field_violations}
    assert named == {field}
    assert not world.selector.calls


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        pytest.param({"question": " \n"}, "INVALID_FIELD", "question", id="blank question"),
        pytest.param({"question": "x" * 8193}, "INVALID_FIELD", "question", id="over-long question"),
        pytest.param({"text": ""}, "INVALID_FIELD", "text", id="no text"),
        pytest.param({"text": "x" * 262_145}, "INVALID_FIELD", "text", id="over-long text"),
        pytest.param({"text": " \n"}, "EMPTY_DOCUMENT", "text", id="blank text"),
        pytest.param({"ratio": 0.0}, "INVALID_FIELD", "ratio", id="no ratio"),
        pytest.param({"ratio": 1.5}, "INVALID_FIELD", "ratio", id="ratio above 1"),
        pytest.param({"ratio": float("nan")}, "INVALID_FIELD", "ratio", id="ratio that is no number"),
        pytest.param({"ratio": None, "max_tokens": 0}, "INVALID_FIELD", "max_tokens", id="no tokens"),
        pytest.param({"ratio": None, "max_tokens": 1_000_001}, "INVALID_FIELD", "max_tokens", id="too many tokens"),
        pytest.param({"model": "gpt-99"}, "UNKNOWN_MODEL", "model", id="model"),
        pytest.param({"content_type": "image/png"}, "UNSUPPORTED_CONTENT_TYPE", "content_type", id="content type"),
        pytest.param({"name": "x" * 257}, "INVALID_FIELD", "name", id="over-long name"),
        pytest.param({"pin_patterns": ["x"] * 17}, "INVALID_FIELD", "pin_patterns", id="too many patterns"),
        pytest.param({"pin_patterns": [""]}, "INVALID_FIELD", "pin_patterns[0]", id="empty pattern"),
    ],
)
async def test_a_bad_text_is_refused_by_field_before_any_work(world, fields, reason, field):
    arguments = {"question": "Why?", "text": "Because.", "ratio": 0.5, **fields}
    async with world.client() as client:
        with pytest.raises(ScicError) as caught:
            await client.compress_text(arguments.pop("question"), arguments.pop("text"), **arguments)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert [violation.field for violation in caught.value.field_violations] == [field]
    assert not world.compressor.requests


async def test_a_text_without_a_size_is_refused(world):
    async with grpc.aio.insecure_channel(world.address) as channel:
        stub = context_service_pb2_grpc.ContextServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.CompressText(
                pb.CompressTextRequest(question="Why?", text="Because."),
                metadata=(("authorization", "Bearer acme-reader"),),
            )
    assert errors.from_rpc_error(caught.value).reason == "INVALID_FIELD"


async def test_a_text_is_compressed_for_a_reader_and_nothing_is_searched(world):
    async with world.client("acme-reader") as client:
        compressed = await client.compress_text("Why?", "Because. " * 200, max_tokens=300, model="gpt-4")
    assert compressed.text
    assert compressed.decision.token_count <= 300
    assert (compressed.model, compressed.encoding) == ("gpt-4", "cl100k_base")
    assert not world.selector.calls


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        pytest.param((), "MISSING_CREDENTIAL", id="missing"),
        pytest.param((("authorization", "Bearer nobody"),), "INVALID_CREDENTIAL", id="unknown"),
        pytest.param((("authorization", "acme-writer"),), "INVALID_CREDENTIAL", id="no scheme"),
        pytest.param((("authorization", "Basic acme-writer"),), "INVALID_CREDENTIAL", id="wrong scheme"),
    ],
)
async def test_without_a_good_key_nothing_is_done(world, metadata, reason):
    async with grpc.aio.insecure_channel(world.address) as channel:
        stub = context_service_pb2_grpc.ContextServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.BuildContext(pb.BuildContextRequest(question="Why?", max_tokens=1000), metadata=metadata)
    error = errors.from_rpc_error(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)
    assert not world.selector.calls


@pytest.mark.parametrize(
    ("key", "role", "call"),
    [
        pytest.param("acme-admin", "reader", lambda client: client.get_document("a"), id="get"),
        pytest.param("acme-admin", "reader", lambda client: client.get_corpus_stats(), id="stats"),
        pytest.param("acme-admin", "reader", lambda client: client.build_context("Why?", max_tokens=1000), id="build"),
        pytest.param(
            "acme-admin",
            "reader",
            lambda client: client.compress_text("Why?", "Text.", ratio=0.5),
            id="compress a text",
        ),
        pytest.param("acme-reader", "writer", lambda client: client.delete_documents(["a"]), id="delete"),
        pytest.param("acme-reader", "writer", lambda client: ingested(client, document("a")), id="ingest"),
        pytest.param("acme-writer", "admin", lambda client: client.erase_subject("Ola"), id="erase a subject"),
        pytest.param("acme-writer", "admin", lambda client: client.erase_tenant("acme"), id="erase the tenant"),
    ],
)
async def test_a_role_opens_only_its_methods(world, key, role, call):
    async with world.client(key) as client:
        with pytest.raises(ScicError) as caught:
            await call(client)
    assert (caught.value.reason, caught.value.metadata["role"]) == ("ROLE_REQUIRED", role)
    assert not world.selector.calls


def test_every_method_of_the_gateway_says_which_role_it_needs():
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in (pb, corpus, profile_service_pb2, ledger_service_pb2, cache_service_pb2, job_service_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(REQUIRED_ROLE) == methods


async def test_a_tenant_sees_only_its_own(world):
    world.selector.store("acme", "guide.md", "Ours.")
    async with world.client("other") as client:
        assert not (await client.build_context("Why?", max_tokens=1000)).evidence


async def test_a_document_with_groups_exists_only_for_them(world):
    world.selector.store("acme", "guide.md", "Everybody's.")
    world.selector.store("acme", "salaries.md", "Theirs.", "And more.", groups=["hr"])
    async with world.client("acme-writer") as outside, world.client("acme-hr") as inside:
        for client, names, counts in (
            (outside, ["guide.md"], [(1, 1)]),
            (inside, ["guide.md", "salaries.md"], [(2, 3)]),
        ):
            built = await client.build_context("Why?", max_tokens=1000)
            assert sorted({item.document_id for item in built.evidence}) == names
            assert [record.document_id async for record in client.list_documents()] == names
            stats = await client.get_corpus_stats()
            assert [(source.document_count, source.passage_count) for source in stats.sources] == counts
        assert list((await inside.get_document("salaries.md")).acl_groups) == ["hr"]
        with pytest.raises(ScicError) as caught:
            await outside.get_document("salaries.md")
        assert caught.value.reason == "DOCUMENT_NOT_FOUND"
        response = await outside.delete_documents(["salaries.md", "guide.md"])
        assert list(response.deleted_document_ids) == ["guide.md"]
        assert (await ingested(outside, document("salaries.md")))["salaries.md"].outcome == FAILED
    assert len(world.selector.documents["acme", "salaries.md"].passages) == 2


def places(receipt: corpus.Receipt) -> dict[str, tuple[int, int, int]]:
    assert str(uuid.UUID(receipt.receipt_id)) == receipt.receipt_id
    assert receipt.time.ToSeconds() > 0
    return {place.name: (place.document_count, place.passage_count, place.entry_count) for place in receipt.places}


ERASURES = [
    pytest.param(
        "acme-hr", lambda client: client.delete_documents(["ours.md", "theirs.md", "x"]), {"ours.md"}, 2, id="delete"
    ),
    pytest.param(
        "acme-admin", lambda client: client.erase_subject("Ola"), {"ours.md", "theirs.md"}, 3, id="erase a subject"
    ),
    pytest.param(
        "acme-admin",
        lambda client: client.erase_tenant("acme"),
        {"guide.md", "ours.md", "theirs.md"},
        4,
        id="erase the tenant",
    ),
]


def fill(world: World) -> None:
    """Documents of a subject that various callers may see, and replies of two tenants."""
    world.selector.store("acme", "guide.md", "One.")
    world.selector.store("acme", "ours.md", "Two.", "Three.", groups=["hr"], subjects=["Ola"])
    world.selector.store("acme", "theirs.md", "Four.", groups=["board"], subjects=["Piotr", "Ola"])
    world.selector.store("other", "foreign.md", "Five.", subjects=["Ola"])
    for tenant, document_id in world.selector.documents:
        entry = CacheEntry(b"reply", world.selector.version, [document_id], 0.1)
        world.cache.keep(tenant, CacheKey(document_id), entry)
        world.jobs.held.append((tenant, document_id, ""))
        evidence = [pb.Evidence(document_id=document_id)]
        record = ledger_service_pb2.Record(response=pb.BuildContextResponse(evidence=evidence))
        world.ledger.records.append((tenant, record))


def recorded(world: World, tenant: str) -> set[str]:
    """Documents that the tenant's ledger names."""
    return {
        item.document_id
        for owner, record in world.ledger.records
        if owner == tenant
        for item in record.response.evidence
    }


@pytest.mark.parametrize(("key", "erase", "documents", "passages"), ERASURES)
async def test_an_erasure_removes_everywhere_and_says_so(world, key, erase, documents, passages):
    fill(world)
    async with world.client(key) as client:
        response = await erase(client)
    assert places(response.receipt) == {
        "corpus": (len(documents), passages, 0),
        "cache": (0, 0, len(documents)),
        "jobs": (0, 0, len(documents)),
        "ledger": (0, 0, len(documents)),
        **({"profiles": (0, 0, 0)} if len(documents) == 3 else {}),
    }
    assert recorded(world, "acme") == {"guide.md", "ours.md", "theirs.md"} - documents
    assert recorded(world, "other") == {"foreign.md"}
    assert {name for tenant, name in world.selector.documents if tenant == "acme"} == {
        "guide.md",
        "ours.md",
        "theirs.md",
    } - documents
    assert ("other", "foreign.md") in world.selector.documents
    assert cached(world) == {("acme", name) for name in {"guide.md", "ours.md", "theirs.md"} - documents} | FOREIGN
    assert {(tenant, name) for tenant, name, _ in world.jobs.held} == cached(world)


FOREIGN = {("other", "foreign.md")}


def cached(world: World) -> set[tuple[str, str]]:
    """Tenants and documents that replies name."""
    return {(tenant, name) for (tenant, _), stored in world.cache.entries.items() for name in stored.entry.document_ids}


@pytest.mark.parametrize(("key", "erase", "documents", "passages"), ERASURES)
async def test_without_the_cache_an_erasure_says_what_is_done_and_goes_on_when_called_again(
    world, key, erase, documents, passages
):
    fill(world)
    world.cache.away = True
    async with world.client(key) as client:
        with pytest.raises(ScicError) as caught:
            await erase(client)
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.UNAVAILABLE, "STAGE_UNAVAILABLE")
        assert caught.value.metadata["stage"] == "cache"
        assert f"{len(documents)} documents with {passages} passages are gone" in str(caught.value)
        world.cache.away = False
        # Until then old replies are at least dead: the announcement comes by itself.
        await eventually("the change is announced", lambda: len(world.cache.changes) > 0)
        assert world.cache.versions["acme"] == world.selector.version
        removed = places((await erase(client)).receipt)
    assert removed["corpus"] == (0, 0, 0)
    assert removed["cache"][2] >= len(documents), "of a subject nobody knows the names any more"
    assert removed["ledger"] == (0, 0, 0), "the first call knew the names, and emptied it"
    assert recorded(world, "acme").isdisjoint(documents)
    assert recorded(world, "other") == {"foreign.md"}
    assert cached(world) <= FOREIGN | {("acme", name) for name in {"guide.md", "ours.md", "theirs.md"} - documents}
    assert cached(world) >= FOREIGN


async def test_where_the_selectors_answer_is_lost_the_cache_forgets_what_may_be_gone(world):
    fill(world)
    world.selector.away = True
    async with world.client("acme-admin") as client:
        with pytest.raises(ScicError) as caught:
            await client.erase_subject("Ola")
    assert (caught.value.reason, caught.value.metadata["stage"]) == ("STAGE_UNAVAILABLE", "selector")
    assert cached(world) == FOREIGN


async def test_a_tenant_is_erased_only_by_its_own_name(world):
    fill(world)
    async with world.client("acme-admin") as client:
        with pytest.raises(ScicError) as caught:
            await client.erase_tenant("other")
    assert [violation.field for violation in caught.value.field_violations] == ["tenant"]
    assert caught.value.reason == "INVALID_FIELD"
    assert len(world.selector.documents) == 4


async def test_a_reader_sees_how_the_cache_of_its_tenant_serves(world):
    fill(world)
    world.cache.counts["acme", "miss"] = 2
    async with world.client("acme-reader") as client:
        stats = await client.cache_stats()
    assert (stats.entry_count, stats.miss_count) == (3, 2)


async def test_an_operator_empties_the_cache_of_its_own_tenant_only(world):
    fill(world)
    async with world.client("acme-operator") as client:
        with pytest.raises(ScicError) as caught:
            await client.flush_cache("other")
        assert caught.value.reason == "INVALID_FIELD"
        assert [violation.field for violation in caught.value.field_violations] == ["tenant"]
        assert len(world.cache.entries) == 4
        assert await client.flush_cache("acme") == 3
    assert cached(world) == FOREIGN


async def test_a_cache_that_is_away_says_so(world):
    world.cache.away = True
    async with world.client("acme-operator") as client:
        for call in (client.cache_stats(), client.flush_cache("acme")):
            with pytest.raises(ScicError) as caught:
                await call
            assert caught.value.reason == "CACHE_UNAVAILABLE"


async def test_documents_stream_in_and_results_stream_out(world):
    documents = [
        corpus.DocumentInput(document_id="a.md", content=b"# A\n\nText.", content_type="text/markdown"),
        corpus.DocumentInput(document_id="b.md", content=b"\xff", content_type="text/markdown"),
    ]
    async with world.client() as client:
        results = {r.document_id: r async for r in client.ingest_documents(documents)}
    assert results["a.md"].outcome == corpus.IngestDocumentsResponse.OUTCOME_INDEXED
    assert errors.from_status(results["b.md"].error).reason == "BROKEN_ENCODING"


async def test_bytes_that_are_no_message_are_the_callers_mistake(world):
    broken = b"\x0a\x02\xff\xfe"  # field 1, a string that is not UTF-8
    async with grpc.aio.insecure_channel(world.address) as channel:
        call: Any = channel.unary_unary("/scic.gateway.v1.ContextService/BuildContext")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(broken, metadata=(("authorization", "Bearer acme-writer"),))
    error = errors.from_rpc_error(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")


async def test_a_request_over_the_size_limit_is_refused_and_named(world):
    passages = ["x" * 65_536] * 100
    async with world.client() as client:
        built = await client.build_context("Why?", max_tokens=1000, passages=passages)
        assert built.messages
    async with grpc.aio.insecure_channel(world.address) as channel:
        call: Any = channel.unary_unary("/scic.gateway.v1.ContextService/BuildContext")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\0" * (17 << 20), metadata=(("authorization", "Bearer acme-writer"),))
    assert errors.from_rpc_error(caught.value).reason == "REQUEST_TOO_LARGE"
