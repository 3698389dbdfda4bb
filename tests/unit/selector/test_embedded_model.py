"""The embedded store against a model that is nothing but loops, over any sequence of writes and searches."""

import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.selector.caller import EVERYBODY, Caller
from services.selector.embedded import snapshot
from services.selector.embedded.corpus import Corpus
from services.selector.embedded.database import create
from services.selector.errors import UnknownFilterKeyError
from services.selector.indexing import passage_terms
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind
from services.selector.query import Candidates, Condition, Pick, Query, Scores, SourceQuery

WORDS = ["pump", "valve", "seal", "rotor", "blade"]
MODEL = EmbeddingModel("model", 3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Found = dict[str, tuple[str, float, float]]

texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
vectors = st.tuples(*[st.integers(-3, 3)] * 3).filter(any)


@st.composite
def documents(draw: st.DrawFn) -> IndexedDocument:
    record = Document(
        document_id=draw(st.sampled_from("abcdef")),
        source=draw(st.sampled_from(["docs", "code"])),
        kind=SourceKind.DOCS,
        title="",
        content_type="",
        content_hash=draw(st.sampled_from("123")),
        size=0,
        metadata=draw(st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from("xy"))),
        acl_groups=tuple(draw(st.sets(st.sampled_from("gh")))),
        expires_at=draw(st.sampled_from([None, NOW, NOW + timedelta(days=1)])),
    )
    content = draw(st.lists(st.tuples(texts, texts, vectors), max_size=4))
    passages = tuple(Passage(record, i, (title,), text, 0, len(text)) for i, (title, text, _) in enumerate(content))
    matrix = np.array([vector for *_, vector in content], np.float32).reshape(-1, 3)
    return IndexedDocument(record, passages, matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def queries() -> st.SearchStrategy[Query]:
    conditions = st.builds(Condition, st.sampled_from(["k", "l"]), st.lists(st.sampled_from("xyz")).map(tuple))
    return st.builds(
        Query,
        terms=st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=4).map(tuple),
        vector=vectors.map(lambda v: np.array(v, np.float32) / np.float32(math.hypot(*v))),
        model_id=st.just(MODEL.model_id),
        sources=st.lists(st.sampled_from(["docs", "code"]), unique=True, min_size=1).map(
            lambda names: tuple(SourceQuery(name, SourceKind.DOCS, 1000) for name in names)
        ),
        caller=st.one_of(st.just(EVERYBODY), st.frozensets(st.sampled_from("gh")).map(Caller)),
        now=st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)]),
        conditions=st.lists(conditions, max_size=2).map(tuple),
    )


tenants = st.sampled_from([0, 1])
steps = st.one_of(
    st.tuples(st.just("index"), tenants, st.lists(documents(), max_size=4)),
    st.tuples(st.just("delete"), tenants, st.lists(st.sampled_from("abcdef"), max_size=3)),
    st.tuples(st.just("search"), tenants, queries()),
)


def pick_all(candidates: Sequence[Candidates], now: datetime) -> list[Pick]:
    return [
        Pick(index, position, Scores(float(source.bm25[position]), float(source.cosine[position]), 0, 0))
        for index, source in enumerate(candidates)
        for position in range(len(source.bm25))
    ]


@dataclass
class Model:
    """A tenant's corpus as it should be."""

    documents: dict[str, IndexedDocument] = field(default_factory=dict)

    def index(self, batch: list[IndexedDocument]) -> bool:
        changed = False
        for indexed in {indexed.document.document_id: indexed for indexed in batch}.values():
            known = self.documents.get(indexed.document.document_id)
            if known is None or known.document.content_hash != indexed.document.content_hash:
                self.documents[indexed.document.document_id] = indexed
                changed = True
        return changed

    def delete(self, ids: list[str]) -> list[str]:
        return [name for name in dict.fromkeys(ids) if self.documents.pop(name, None) is not None]

    def search(self, query: Query) -> Found | None:
        """What is found, by passage id; None where a filter's key is unknown."""
        seen = [
            indexed
            for indexed in self.documents.values()
            if query.caller.may_see(indexed.document.acl_groups)
            and (indexed.document.expires_at is None or indexed.document.expires_at > query.now)
        ]
        rows = [
            (passage, Counter(passage_terms(passage)), vector)
            for indexed in seen
            for passage, vector in zip(indexed.passages, indexed.vectors, strict=True)
        ]
        average = sum(terms.total() for _, terms, _ in rows) / len(rows) if rows else 1
        frequency = Counter(term for _, terms, _ in rows for term in terms)
        carried = {key for passage, *_ in rows for key in passage.document.metadata}
        if rows and any(condition.key not in carried for condition in query.conditions):
            return None
        found = {}
        for passage, terms, vector in rows:
            document = passage.document
            if document.source not in {source.source for source in query.sources}:
                continue
            if not all(document.metadata.get(c.key) in c.any_of for c in query.conditions):
                continue
            bm25 = 0.0
            for term in query.terms:
                idf = math.log(1 + (len(rows) - frequency[term] + 0.5) / (frequency[term] + 0.5))
                norm = 1.5 * (0.25 + 0.75 * terms.total() / (average or 1))
                bm25 += idf * terms[term] * 2.5 / (terms[term] + norm)
            found[passage.passage_id] = (passage.text, bm25, float(vector @ query.vector))
        return found


@pytest.mark.parametrize("max_segment", [4, snapshot.MAX_SEGMENT])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(st.lists(steps, min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_any_history_gives_what_loops_give(
    max_segment: int, history: list[tuple[str, int, object]], random: Random
) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "MAX_SEGMENT", max_segment)
        models = [Model(), Model()]
        # Each corpus is open twice, as in two processes.
        corpora = []
        helper = stack.enter_context(ThreadPoolExecutor(1))
        for name in ("one", "two"):
            create(name, path := Path(folder) / f"{name}.db")
            corpora.append([Corpus(name, path, lambda: datetime.now(UTC), 5, helper) for _ in range(2)])
            for corpus in corpora[-1]:
                stack.callback(corpus.close)
        for action, tenant, argument in history:
            corpus, model = random.choice(corpora[tenant]), models[tenant]
            before = corpus.version()
            match action, argument:
                case "index", list(batch):
                    assert (corpus.index(batch, MODEL, EVERYBODY)[0] > before) == model.index(batch)
                case "delete", list(ids):
                    assert list(corpus.delete(ids, EVERYBODY).document_ids) == model.delete(ids)
                case _, Query() as query:
                    check(corpus, model, query)
        for corpus, model in zip((*corpora[0], *corpora[1]), (models[0], models[0], models[1], models[1]), strict=True):
            everything = Query(
                (),
                np.array([1, 0, 0], np.float32),
                MODEL.model_id,
                (SourceQuery("docs", SourceKind.DOCS, 1000), SourceQuery("code", SourceKind.CODE, 1000)),
                EVERYBODY,
                NOW,
            )
            check(corpus, model, everything)


def check(corpus: Corpus, model: Model, query: Query) -> None:
    expected = model.search(query)
    if expected is None:
        with pytest.raises(UnknownFilterKeyError):
            corpus.search(query, pick_all, perf_counter())
        return
    selection = corpus.search(query, pick_all, perf_counter())
    assert selection.corpus_version == corpus.version()
    found = {f.passage.passage_id: (f.passage.text, f.scores.lexical, f.scores.dense) for f in selection.passages}
    assert len(found) == len(selection.passages)
    assert found.keys() == expected.keys()
    for name, (text, bm25, cosine) in expected.items():
        assert found[name][0] == text
        assert found[name][1:] == pytest.approx((bm25, cosine), rel=1e-4, abs=1e-5)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(st.lists(documents(), max_size=8), queries(), st.integers(1, 4))
def test_a_search_equals_one_in_a_corpus_of_what_the_caller_may_see(
    batch: list[IndexedDocument], query: Query, depth: int
) -> None:
    query = replace(query, depth=depth, sources=tuple(replace(source, limit=3) for source in query.sources))
    query = replace(query, sources=(*query.sources, SourceQuery("all", SourceKind.DOCS, 3, everywhere=True)))
    latest = {indexed.document.document_id: indexed for indexed in batch}
    visible = [
        indexed
        for indexed in latest.values()
        if query.caller.may_see(indexed.document.acl_groups)
        and (indexed.document.expires_at is None or indexed.document.expires_at > query.now)
    ]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        helper = stack.enter_context(ThreadPoolExecutor(1))
        found: list[list[tuple[object, ...]]] = []
        for name, held, caller in (("all", list(latest.values()), query.caller), ("some", visible, EVERYBODY)):
            create(name, path := Path(folder) / f"{name}.db")
            corpus = Corpus(name, path, lambda: NOW, 5, helper)
            stack.callback(corpus.close)
            corpus.index(held, MODEL, EVERYBODY)
            try:
                selection = corpus.search(replace(query, caller=caller), pick_all, perf_counter())
            except UnknownFilterKeyError as error:
                found.append([("unknown", error.key)])
            else:
                found.append([(f.found_by, f.passage.passage_id, f.scores) for f in selection.passages])
    assert found[0] == found[1]
