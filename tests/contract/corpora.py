"""What the tests of the contract store and ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from services.selector.caller import EVERYBODY, Caller
from services.selector.indexing import question_terms
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind
from services.selector.query import Condition, Pick, Query, Scores, Selection, SourceQuery
from services.selector.selection import rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.ports import Store
    from services.selector.query import Candidates, Written

DIMENSION = 4
MODEL = EmbeddingModel("model-a", DIMENSION)
OTHER_MODEL = EmbeddingModel("model-b", DIMENSION)
AXES = np.eye(DIMENSION, dtype=np.float32)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOCS = SourceQuery("docs", SourceKind.DOCS, 10)
NOBODY = Caller()


def document(
    name: str,
    *texts: str,
    source: str = "docs",
    kind: SourceKind = SourceKind.DOCS,
    content_hash: str = "h1",
    axis: int = 0,
    record: dict[str, Any] | None = None,
    **metadata: str,
) -> IndexedDocument:
    """A document; `record` gives fields of its record that are seldom needed."""
    stored = Document(name, source, kind, f"Title of {name}", "text/plain", content_hash, 10, metadata)
    stored = replace(stored, **(record or {}))
    passages = tuple(
        Passage(
            document=stored,
            ordinal=ordinal,
            title_path=(stored.title, "Section"),
            text=text,
            start=10 * ordinal,
            end=10 * ordinal + len(text),
            prepared=b"\0\xff" * 3,
            sensitive=b"\xfe\0%d" % ordinal,
        )
        for ordinal, text in enumerate(texts)
    )
    return IndexedDocument(stored, passages, np.repeat(AXES[axis : axis + 1], len(texts), axis=0))


def query(
    question: str,
    *sources: SourceQuery,
    axis: int = 0,
    model: EmbeddingModel = MODEL,
    conditions: Sequence[Condition] = (),
    caller: Caller = EVERYBODY,
    now: datetime = NOW,
) -> Query:
    return Query(
        terms=question_terms(question),
        vector=AXES[axis],
        model_id=model.model_id,
        sources=sources or (DOCS,),
        caller=caller,
        now=now,
        conditions=tuple(conditions),
    )


def pick_all(candidates: Sequence[Candidates], now: datetime) -> list[Pick]:
    """A ranking that hands back each candidate with its plain scores."""
    return [
        Pick(index, position, Scores(float(source.bm25[position]), float(source.cosine[position]), 0, 0))
        for index, source in enumerate(candidates)
        for position in range(len(source.cosine))
    ]


def names(selection: Selection) -> list[str]:
    return [found.passage.passage_id for found in selection.passages]


async def index(store: Store, *documents: IndexedDocument, tenant: str = "acme", caller: Caller = EVERYBODY) -> Written:
    return await store.index(tenant, documents, MODEL, caller)


async def find(
    store: Store, question: str, *sources: SourceQuery, tenant: str = "acme", axis: int = 0, caller: Caller = EVERYBODY
) -> list[str]:
    return names(await store.search(tenant, query(question, *sources, axis=axis, caller=caller), rank))
