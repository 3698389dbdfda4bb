"""The gateway over gRPC: a real client, a real server on port 0, fakes behind the ports."""

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from scic import Client, ScicError, errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import context_service_pb2_grpc, corpus_service_pb2_grpc
from scic.gateway.v1 import corpus_service_pb2 as corpus
from services.chassis.app import App
from services.chassis.server import start
from services.gateway.authentication import REQUIRED_ROLE, Authentication
from services.gateway.background import Background
from services.gateway.builder import ContextBuilder
from services.gateway.context_servicer import ContextServicer
from services.gateway.contexts import Contexts
from services.gateway.corpus import Corpus
from services.gateway.corpus_servicer import CorpusServicer
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ports import Stages
from services.gateway.principal import parse_keys
from services.gateway.profile import default_profile
from services.gateway.settings import GatewaySettings
from tests.fakes import FakeCache, FakeComposer, FakeCompressor, FakeSelector

KEYS = {
    "acme-writer": ("acme", ["reader", "writer"]),
    "acme-reader": ("acme", ["reader"]),
    "other": ("other", ["reader"]),
}


def keys_json() -> str:
    return json.dumps(
        {
            "keys": [
                {"id": key, "sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": tenant, "roles": roles}
                for key, (tenant, roles) in KEYS.items()
            ]
        }
    )


class World:
    def __init__(self) -> None:
        self.selector, self.compressor, self.composer = FakeSelector(), FakeCompressor(), FakeComposer()
        self.cache = FakeCache()
        self.address = ""

    def client(self, key: str = "acme-writer") -> Client:
        return Client(self.address, api_key=key)


@pytest.fixture
async def world():
    world = World()
    stages = Stages(world.selector, world.compressor, world.composer)

    @asynccontextmanager
    async def build(health):
        async with Background() as background:
            with ThreadPoolExecutor(1) as executor:
                contexts = Contexts(
                    builder=ContextBuilder(stages, time.monotonic),
                    cache=world.cache,
                    selector=world.selector,
                    profiles={"default": default_profile("gpt-4o")},
                    default_profile="default",
                    spawn=background.spawn,
                )

                def register(server):
                    context_service_pb2_grpc.add_ContextServiceServicer_to_server(ContextServicer(contexts), server)
                    corpus_service_pb2_grpc.add_CorpusServiceServicer_to_server(
                        CorpusServicer(
                            Corpus(world.selector, world.cache), BatchIngester(stages, world.cache, executor)
                        ),
                        server,
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


async def test_a_reader_may_not_write(world):
    async with world.client("acme-reader") as client:
        with pytest.raises(ScicError) as caught:
            await client.delete_documents(["guide.md"])
        assert caught.value.reason == "ROLE_REQUIRED"
        with pytest.raises(ScicError) as caught:
            async for _ in client.ingest_documents([corpus.DocumentInput(document_id="a", content=b"x")]):
                pass
        assert caught.value.reason == "ROLE_REQUIRED"
    assert not world.selector.calls


def test_every_method_of_the_gateway_says_which_role_it_needs():
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in (pb, corpus)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(REQUIRED_ROLE) == methods


async def test_a_tenant_sees_only_its_own(world):
    world.selector.store("acme", "guide.md", "Ours.")
    async with world.client("other") as client:
        assert not (await client.build_context("Why?", max_tokens=1000)).evidence


async def test_what_is_not_there_yet_says_so(world):
    async with world.client() as client:
        with pytest.raises(ScicError) as caught:
            await client.erase_subject("somebody")
    assert caught.value.code == grpc.StatusCode.UNIMPLEMENTED
    assert "DeleteDocuments" in str(caught.value)


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
