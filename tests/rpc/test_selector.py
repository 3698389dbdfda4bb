"""The selector over gRPC: real service, real store and encoder, bad input by field."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import platformdirs
import pytest
from google.protobuf.duration_pb2 import Duration

from scic import errors
from scic.selector.v1 import selector_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2_grpc as rpc
from scic.type.v1 import passage_pb2, source_pb2, span_pb2, trust_pb2
from services.chassis.server import start
from services.selector.app import build
from services.selector.settings import SelectorSettings
from tests.embeddings_api import embeddings_api
from tests.waiting import eventually

MODELS = Path(platformdirs.user_cache_dir("scic")) / "models"
DOCS = source_pb2.SOURCE_KIND_DOCS
DIMENSION = 384
ALL = pb.Caller(sees_all=True)
NOBODY = pb.Caller()


@asynccontextmanager
async def serving(folder, **fields: Any):
    common: dict[str, Any] = {"port": 0, "metrics_port": None, "drain_seconds": 0, "grace_seconds": 1}
    settings = SelectorSettings(data_dir=folder, model_dir=MODELS, **{**common, **fields})
    async with (
        start(build(settings), settings) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield rpc.SelectorServiceStub(channel)


@pytest.fixture
async def stub(tmp_path):
    async with serving(tmp_path) as stub:
        yield stub


def unit_vector(axis: int = 0, dimension: int = DIMENSION) -> bytes:
    return np.eye(1, dimension, axis, dtype="<f4").tobytes()


def indexed(document_id: str, text: str, *, vector: bytes = b"", source: str = "docs", **record) -> pb.IndexedDocument:
    passage = passage_pb2.Passage(
        passage_id=f"{document_id}#0",
        document_id=document_id,
        source=source,
        kind=DOCS,
        title_path=[document_id],
        text=text,
        span=span_pb2.Span(start=3, end=3 + len(text)),
        prepared=b"opaque",
        sensitive=b"names",
    )
    return pb.IndexedDocument(
        record=pb.DocumentRecord(
            document_id=document_id,
            source=source,
            kind=DOCS,
            title=document_id,
            content_type="text/plain",
            content_hash=text,
            size_bytes=len(text),
            **record,
        ),
        passages=[pb.IndexedPassage(passage=passage, vector=vector or unit_vector())],
    )


async def refused(call: Any) -> errors.ScicError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return errors.from_rpc_error(caught.value)


async def model_of(stub: Any) -> str:
    """The selector's own model, as it names it when it refuses passages of another one."""
    request = pb.IndexRequest(tenant="acme", documents=[indexed("a", "b")], embedding_model="another", caller=ALL)
    error = await refused(stub.Index(request))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_MISMATCH")
    return error.metadata["running"]


async def index(stub: Any, *documents: pb.IndexedDocument, tenant: str = "acme", caller=ALL) -> Any:
    model = await model_of(stub)
    return await stub.Index(pb.IndexRequest(tenant=tenant, documents=documents, embedding_model=model, caller=caller))


def select(**fields: Any) -> pb.SelectRequest:
    defaults = {
        "tenant": "acme",
        "question": "What does the heron eat?",
        "sources": [pb.SourceQuery(source="docs", kind=DOCS, limit=5)],
        "caller": ALL,
    }
    return pb.SelectRequest(**{**defaults, **fields})


def names(response: pb.SelectResponse) -> list[str]:
    return [found.passage.document_id for found in response.passages]


async def test_select_returns_what_index_stored_with_its_scores(stub):
    stored = await index(
        stub, indexed("heron.md", "The heron eats fish."), indexed("bike.md", "A bicycle has two wheels.")
    )
    found = await stub.Select(select())
    best = found.passages[0]
    assert (best.passage.document_id, best.passage.text) == ("heron.md", "The heron eats fish.")
    assert (best.passage.prepared, best.passage.span.start) == (b"opaque", 3)
    assert best.found_by == "docs"
    assert best.score.lexical > 0
    for passage in found.passages:
        score = passage.score
        parts = (score.lexical_part + score.dense_part) * score.recency * score.novelty
        assert score.value == pytest.approx(parts, abs=1e-6)
    assert best.score.value > max((p.score.value for p in found.passages[1:]), default=0)
    assert found.corpus_version == stored.corpus_version
    assert np.linalg.norm(np.frombuffer(found.question_vector, "<f4")) == pytest.approx(1, abs=1e-3)
    assert [(s.source, s.passage_count, s.error_reason) for s in found.sources] == [("docs", len(found.passages), "")]


async def test_trust_and_what_was_found_sensitive_come_back_with_the_version_of_the_document(stub):
    trusted, untrusted = trust_pb2.TRUST_LABEL_TRUSTED, trust_pb2.TRUST_LABEL_UNTRUSTED
    labels = {"vouched": (trusted, trusted), "mail": (untrusted, untrusted), "unsaid": (None, untrusted)}
    await index(stub, *(indexed(name, f"heron {name}", trust=given) for name, (given, _) in labels.items()))
    found = [passage.passage for passage in (await stub.Select(select())).passages]
    assert {p.document_id: (p.trust, p.sensitive, p.content_hash) for p in found} == {
        name: (label, b"names", f"heron {name}") for name, (_, label) in labels.items()
    }
    listed = await stub.ListDocuments(pb.ListDocumentsRequest(tenant="acme", page_size=9, caller=ALL))
    assert {record.document_id: record.trust for record in listed.records} == {
        name: label for name, (_, label) in labels.items()
    }


async def test_a_duplicate_comes_without_what_belongs_to_its_text(stub):
    await index(stub, indexed("a", "The heron eats fish."), indexed("b", "The heron eats fish."))
    best, duplicate = (await stub.Select(select())).passages
    assert duplicate.duplicate_of == best.passage.passage_id
    assert (best.passage.prepared, best.passage.sensitive) == (b"opaque", b"names")
    bare = duplicate.passage
    assert (bare.text, bare.prepared, bare.sensitive) == ("", b"", b"")
    assert (bare.content_hash, bare.trust) == ("The heron eats fish.", trust_pb2.TRUST_LABEL_UNTRUSTED)


async def test_a_source_of_everything_goes_by_meaning_and_newer_documents_come_first_where_asked(stub):
    recency = pb.Recency(half_life=Duration(seconds=86_400), weight=0.5)
    documents = [indexed(name, f"{name} pumps", source=name) for name in ("docs", "notes")]
    documents[0].record.create_time.FromSeconds(1_000_000_000)
    documents[1].record.create_time.GetCurrentTime()
    await index(stub, *documents)
    sources = [pb.SourceQuery(source="all", kind=DOCS, limit=5, everywhere=True, recency=recency)]
    found = await stub.Select(select(sources=sources))
    assert names(found) == ["notes", "docs"]
    assert [p.found_by for p in found.passages] == ["all", "all"]
    assert found.passages[1].score.recency == pytest.approx(0.5, abs=1e-3)


async def test_another_tenant_has_nothing(stub):
    await index(stub, indexed("a", "heron"))
    assert not (await stub.Select(select(tenant="other"))).passages
    error = await refused(stub.GetDocument(pb.GetDocumentRequest(tenant="other", document_id="a", caller=ALL)))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "DOCUMENT_NOT_FOUND")


async def test_what_a_caller_may_not_see_does_not_exist_for_it(stub):
    await index(stub, indexed("secret", "The heron eats fish.", acl_groups=["board"]), indexed("open", "A heron."))
    board = pb.Caller(groups=["board", "staff"])
    for caller, seen in ((NOBODY, ["open"]), (pb.Caller(groups=["staff"]), ["open"]), (board, ["open", "secret"])):
        assert sorted(names(await stub.Select(select(caller=caller)))) == seen
        listed = await stub.ListDocuments(pb.ListDocumentsRequest(tenant="acme", page_size=9, caller=caller))
        assert [record.document_id for record in listed.records] == seen
        stats = await stub.GetStats(pb.GetStatsRequest(tenant="acme", caller=caller))
        assert [(s.source, s.document_count) for s in stats.sources] == [("docs", len(seen))]
    unseen = pb.GetDocumentRequest(tenant="acme", document_id="secret", caller=NOBODY)
    assert (await refused(stub.GetDocument(unseen))).reason == "DOCUMENT_NOT_FOUND"
    removed = await stub.Delete(pb.DeleteRequest(tenant="acme", document_ids=["secret"], caller=NOBODY))
    assert not removed.deleted_document_ids
    forbidden = await refused(index(stub, indexed("secret", "mine now"), caller=NOBODY))
    assert (forbidden.code, forbidden.reason) == (grpc.StatusCode.PERMISSION_DENIED, "DOCUMENT_FORBIDDEN")


async def test_pages_and_unchanged_and_delete(stub):
    await index(stub, *(indexed(f"d{n}", f"text {n}") for n in range(5)))
    listed, token = [], ""
    while True:
        request = pb.ListDocumentsRequest(tenant="acme", page_size=2, page_token=token, caller=ALL)
        page = await stub.ListDocuments(request)
        listed += [record.document_id for record in page.records]
        token = page.next_page_token
        if not token:
            break
    assert listed == ["d0", "d1", "d2", "d3", "d4"]
    fingerprints = [
        pb.Fingerprint(document_id="d1", content_hash="text 1"),
        pb.Fingerprint(document_id="d2", content_hash="other"),
    ]
    same = await stub.FindUnchanged(pb.FindUnchangedRequest(tenant="acme", fingerprints=fingerprints, caller=ALL))
    assert [(u.document_id, u.passage_count) for u in same.unchanged] == [("d1", 1)]
    replaced = await index(stub, indexed("d1", "new text"), indexed("d9", "text"))
    assert replaced.replaced_count == 1
    gone = await stub.Delete(pb.DeleteRequest(tenant="acme", document_ids=["d1", "nobody"], caller=ALL))
    assert (list(gone.deleted_document_ids), gone.passage_count) == (["d1"], 1)
    assert gone.corpus_version > replaced.corpus_version


async def test_a_subject_and_a_tenant_are_erased_and_counted(stub):
    await index(
        stub,
        indexed("a", "about Ada", subjects=["ada", "bob"], acl_groups=["board"]),
        indexed("b", "about Bob", subjects=["bob"]),
        indexed("c", "about pumps"),
    )
    erased = await stub.Erase(pb.EraseRequest(tenant="acme", subject="ada"))
    assert (list(erased.deleted_document_ids), erased.document_count, erased.passage_count) == (["a"], 1, 1)
    again = await stub.Erase(pb.EraseRequest(tenant="acme", subject="ada"))
    assert (again.document_count, again.corpus_version > erased.corpus_version) == (0, True)
    everything = await stub.Erase(pb.EraseRequest(tenant="acme", everything=True))
    assert everything.document_count == 2
    assert everything.corpus_version > again.corpus_version
    assert not (await stub.Select(select())).passages


async def test_a_corpus_moves_to_a_remote_model_and_is_searched_all_the_while(tmp_path):
    async with serving(tmp_path) as stub:
        await index(stub, *(indexed(f"d{n}", f"heron {n}") for n in range(20)))
    with embeddings_api(dimension=8) as api:
        remote = f'[{{"url": "{api.url}", "model": "model-x", "dimension": 8}}]'
        async with serving(tmp_path, embeddings=remote, maintenance_seconds=0.05) as stub:
            assert len((await stub.Select(select())).passages) == 5

            async def moved() -> bool:
                stats = await stub.GetStats(pb.GetStatsRequest(tenant="acme", caller=ALL))
                return bool(stats.embedding_model == "model-x")

            await eventually("the corpus has moved to the remote model", moved)
            found = await stub.Select(select())
            assert len(found.passages) == 5
            assert len(found.question_vector) == 4 * DIMENSION, "compression compares with the local model"
            await index(stub, indexed("late", "A late heron."))
            assert "late" in names(await stub.Select(select(question="a late heron")))
    async with serving(tmp_path) as stub:
        error = await refused(stub.Select(select()))
        assert (error.reason, "model-x" in error.metadata["stored"]) == ("MODEL_MISMATCH", True)


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
async def test_a_bad_document_is_refused_by_field(stub, document, field):
    error = await refused(index(stub, document))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.field_violations[0].field == field


@pytest.mark.parametrize("tenant", ["", "../up", "A", "a/b", "a" * 64])
async def test_a_tenant_with_a_path_in_it_is_refused(stub, tenant):
    error = await refused(stub.Select(select(tenant=tenant)))
    assert (error.reason, error.field_violations[0].field) == ("INVALID_FIELD", "tenant")


async def test_a_filter_on_a_key_that_no_document_carries_is_refused(stub):
    await index(stub, indexed("a", "heron", metadata={"team": "birds"}))
    condition = [{"key": "team", "any_of": ["birds"]}, {"key": "taem", "any_of": ["birds"]}]
    error = await refused(stub.Select(select(filter=condition)))
    assert (error.reason, error.field_violations[0].field) == ("UNKNOWN_FILTER_KEY", "filter[1].key")
    assert names(await stub.Select(select(filter=condition[:1]))) == ["a"]


async def test_a_page_token_of_another_listing_is_refused(stub):
    request = pb.ListDocumentsRequest(tenant="acme", page_size=2, page_token="nonsense", caller=ALL)
    error = await refused(stub.ListDocuments(request))
    assert (error.reason, error.field_violations[0].field) == ("INVALID_FIELD", "page_token")


async def test_a_call_that_does_not_say_who_asks_is_refused(stub):
    request = select()
    request.ClearField("caller")
    error = await refused(stub.Select(request))
    assert (error.reason, error.field_violations[0].field) == ("INVALID_FIELD", "caller")
