"""Selector, compressor and composer over gRPC: real services, real store and encoder, bad input by field."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import platformdirs
import pytest

from scic import errors
from scic.composer.v1 import composer_service_pb2 as composer
from scic.composer.v1 import composer_service_pb2_grpc as composer_rpc
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.compressor.v1 import compressor_service_pb2_grpc as compressor_rpc
from scic.selector.v1 import selector_service_pb2 as selector
from scic.selector.v1 import selector_service_pb2_grpc as selector_rpc
from scic.type.v1 import passage_pb2, source_pb2, span_pb2
from services.chassis.server import start
from services.composer.app import build as build_composer
from services.composer.settings import ComposerSettings
from services.compressor.app import build as build_compressor
from services.compressor.settings import CompressorSettings
from services.selector.app import build as build_selector
from services.selector.settings import SelectorSettings
from services.text.tokens import encoding_for

MODELS = Path(platformdirs.user_cache_dir("scic")) / "models"
COMMON: dict[str, Any] = {"port": 0, "metrics_port": None, "drain_seconds": 0, "grace_seconds": 1}
DOCS = source_pb2.SOURCE_KIND_DOCS
DIMENSION = 384


@asynccontextmanager
async def serving(build: Any, settings: Any, stub: Any) -> AsyncIterator[Any]:
    async with (
        start(build(settings), settings) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield stub(channel)


@pytest.fixture
async def selecting(tmp_path):
    settings = SelectorSettings(data_dir=tmp_path, model_dir=MODELS, **COMMON)
    async with serving(build_selector, settings, selector_rpc.SelectorServiceStub) as stub:
        yield stub


@pytest.fixture
async def compressing():
    settings = CompressorSettings(model_dir=MODELS, **COMMON)
    async with serving(build_compressor, settings, compressor_rpc.CompressorServiceStub) as stub:
        yield stub


@pytest.fixture
async def composing():
    async with serving(build_composer, ComposerSettings(**COMMON), composer_rpc.ComposerServiceStub) as stub:
        yield stub


def unit_vector(axis: int = 0, dimension: int = DIMENSION) -> bytes:
    return np.eye(1, dimension, axis, dtype="<f4").tobytes()


def indexed(document_id: str, text: str, *, vector: bytes = b"", source: str = "docs") -> selector.IndexedDocument:
    record = selector.DocumentRecord(
        document_id=document_id,
        source=source,
        kind=DOCS,
        title=document_id,
        content_type="text/plain",
        content_hash=text,
    )
    passage = passage_pb2.Passage(
        passage_id=f"{document_id}#0",
        document_id=document_id,
        source=source,
        kind=DOCS,
        title_path=[document_id],
        text=text,
        span=span_pb2.Span(start=3, end=3 + len(text)),
        prepared=b"opaque",
    )
    return selector.IndexedDocument(
        record=record, passages=[selector.IndexedPassage(passage=passage, vector=vector or unit_vector())]
    )


def select_request(**fields: Any) -> selector.SelectRequest:
    return selector.SelectRequest(
        **{
            "tenant": "acme",
            "question": "What does the heron eat?",
            "sources": [selector.SourceQuery(source="docs", kind=DOCS, limit=5)],
            **fields,
        }
    )


async def refused(call: Any) -> errors.ScicError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return errors.from_rpc_error(caught.value)


async def model_of(stub: Any) -> str:
    """The selector's own model, as it names it when it refuses a corpus of another one."""
    request = selector.IndexRequest(tenant="probe", documents=[indexed("a", "b")], embedding_model="another-model")
    await stub.Index(request)
    error = await refused(stub.Select(select_request(tenant="probe")))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_MISMATCH")
    assert "another-model" in error.metadata["stored"]
    return error.metadata["running"].split("'")[1]


async def test_select_returns_what_index_stored_with_its_scores(selecting):
    model = await model_of(selecting)
    stored = await selecting.Index(
        selector.IndexRequest(
            tenant="acme",
            documents=[indexed("heron.md", "The heron eats fish."), indexed("bike.md", "A bicycle has two wheels.")],
            embedding_model=model,
        )
    )
    found = await selecting.Select(select_request())
    best = found.passages[0]
    assert (best.passage.document_id, best.passage.text) == ("heron.md", "The heron eats fish.")
    assert (best.passage.prepared, best.passage.span.start) == (b"opaque", 3)
    assert best.score == 1.0 > found.passages[1].score
    assert best.lexical > 0
    assert found.corpus_version == stored.corpus_version
    assert np.linalg.norm(np.frombuffer(found.question_vector, "<f4")) == pytest.approx(1, abs=1e-3)
    assert [(s.source, s.passage_count, s.error_reason) for s in found.sources] == [("docs", 2, "")]


async def test_another_tenant_has_nothing(selecting):
    model = await model_of(selecting)
    await selecting.Index(
        selector.IndexRequest(tenant="acme", documents=[indexed("a", "heron")], embedding_model=model)
    )
    assert not (await selecting.Select(select_request(tenant="other"))).passages
    error = await refused(selecting.GetDocument(selector.GetDocumentRequest(tenant="other", document_id="a")))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "DOCUMENT_NOT_FOUND")


async def test_pages_and_unchanged_and_delete(selecting):
    documents = [indexed(f"d{n}", f"text {n}") for n in range(5)]
    await selecting.Index(selector.IndexRequest(tenant="acme", documents=documents, embedding_model="m"))
    names, token = [], ""
    while True:
        page = await selecting.ListDocuments(
            selector.ListDocumentsRequest(tenant="acme", page_size=2, page_token=token)
        )
        names += [record.document_id for record in page.records]
        token = page.next_page_token
        if not token:
            break
    assert names == ["d0", "d1", "d2", "d3", "d4"]
    same = await selecting.FindUnchanged(
        selector.FindUnchangedRequest(
            tenant="acme",
            fingerprints=[
                selector.Fingerprint(document_id="d1", content_hash="text 1"),
                selector.Fingerprint(document_id="d2", content_hash="other"),
            ],
        )
    )
    assert [(u.document_id, u.passage_count) for u in same.unchanged] == [("d1", 1)]
    before = await selecting.GetCorpusVersion(selector.GetCorpusVersionRequest(tenant="acme"))
    gone = await selecting.Delete(selector.DeleteRequest(tenant="acme", document_ids=["d1", "nobody"]))
    assert list(gone.deleted_document_ids) == ["d1"]
    assert gone.corpus_version > before.corpus_version


@pytest.mark.parametrize(
    ("document", "field"),
    [
        pytest.param(
            indexed("a", "b", vector=unit_vector(dimension=3)), "passages[0].vector", id="vector of another size"
        ),
        pytest.param(indexed("a", "b", vector=b"\0" * 4 * DIMENSION), "documents", id="vector without length"),
        pytest.param(indexed("", "b"), "documents[0].record.document_id", id="no id"),
        pytest.param(indexed("a", "b", source="Docs!"), "documents[0].record.source", id="source"),
    ],
)
async def test_a_bad_document_is_refused_by_field(selecting, document, field):
    request = selector.IndexRequest(tenant="acme", documents=[document], embedding_model="m")
    error = await refused(selecting.Index(request))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.field_violations[0].field == field


@pytest.mark.parametrize("tenant", ["", "../up", "A", "a/b", "a" * 64])
async def test_a_tenant_with_a_path_in_it_is_refused(selecting, tenant):
    error = await refused(selecting.Select(select_request(tenant=tenant)))
    assert (error.reason, error.field_violations[0].field) == ("INVALID_FIELD", "tenant")


async def test_a_page_token_of_another_listing_is_refused(selecting):
    error = await refused(
        selecting.ListDocuments(selector.ListDocumentsRequest(tenant="acme", page_size=2, page_token="nonsense"))
    )
    assert (error.reason, error.field_violations[0].field) == ("INVALID_FIELD", "page_token")


TEXT = "The heron stands still. It eats fish and frogs. Bicycles have two wheels. Rain fell in the north. " * 4


async def test_prepared_passages_are_compressed_to_the_budget(compressing):
    prepared = await compressing.Prepare(
        compressor.PrepareRequest(passages=[compressor.RawPassage(title_path=["Birds"], text=TEXT, kind=DOCS)])
    )
    assert len(prepared.passages[0].vector) == 4 * DIMENSION
    assert prepared.embedding_model
    passage = compressor.CompressiblePassage(
        title_path=["Birds"], text=TEXT, kind=DOCS, prepared=prepared.passages[0].prepared, score=1
    )
    compressed = await compressing.Compress(
        compressor.CompressRequest(
            question="What does the heron eat?",
            passages=[passage],
            max_tokens=40,
            encoding="o200k_base",
            overhead_tokens=4,
            gap=" … ",
        )
    )
    (outcome,) = compressed.passages
    assert not outcome.raw
    assert not compressed.degraded_reason
    pieces = [TEXT[span.start : span.end] for span in outcome.spans]
    kept = " … ".join(pieces)
    assert any("eats fish" in piece for piece in pieces)
    assert encoding_for("o200k_base").count(f"Birds\n{kept}\n") + 4 <= compressed.token_count <= 40


@pytest.mark.parametrize("prepared", [b"", b"damaged", b"SCPP\x63\x00" + b"\0" * 60], ids=["none", "damaged", "other"])
async def test_without_usable_prepared_bytes_the_text_is_taken_raw(compressing, prepared):
    passage = compressor.CompressiblePassage(text=TEXT, kind=DOCS, prepared=prepared)
    compressed = await compressing.Compress(
        compressor.CompressRequest(
            question="What eats fish?", passages=[passage], max_tokens=30, encoding="cl100k_base"
        )
    )
    assert compressed.passages[0].raw
    assert 0 < compressed.token_count <= 30


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"encoding": "p50k"}, "encoding", id="encoding"),
        pytest.param({"question": ""}, "question", id="question"),
        pytest.param({"max_tokens": -1}, "max_tokens", id="budget"),
        pytest.param({"question_vector": b"abc"}, "question_vector", id="vector"),
        pytest.param({"passages": [compressor.CompressiblePassage(text="x")]}, "passages[0].kind", id="kind"),
    ],
)
async def test_a_bad_compress_request_is_refused_by_field(compressing, fields, field):
    request = compressor.CompressRequest(**{"question": "Why?", "max_tokens": 10, "encoding": "cl100k_base", **fields})
    error = await refused(compressing.Compress(request))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.field_violations[0].field == field


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        pytest.param({"encoding": "p50k"}, "UNKNOWN_MODEL", "encoding", id="encoding"),
        pytest.param({"max_tokens": 3}, "BUDGET_TOO_SMALL", "max_tokens", id="budget"),
        pytest.param({"evidence": [composer.EvidenceInput()]}, "INVALID_FIELD", "evidence[0].pieces", id="no pieces"),
    ],
)
async def test_a_bad_compose_request_is_refused_by_field(composing, fields, reason, field):
    request = composer.ComposeRequest(
        **{"instructions": "Be brief.", "question": "Why?", "max_tokens": 100, "encoding": "cl100k_base", **fields}
    )
    error = await refused(composing.Compose(request))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert error.field_violations[0].field == field
