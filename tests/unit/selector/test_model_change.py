"""A change of the embedding model: the old index answers until every passage has its new vector."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.selector.caller import EVERYBODY
from services.selector.embedded import EmbeddedStore
from services.selector.embedding.embedders import Embedders
from services.selector.errors import EmbeddingModelMismatchError
from services.selector.finder import Finder
from services.selector.indexer import Indexer
from services.selector.maintenance import Maintenance
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind
from services.selector.query import SourceQuery
from tests.embeddings_api import vector_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NOW = datetime(2025, 6, 1, tzinfo=UTC)


class HashEmbedder:
    """Equal texts get equal vectors; another name, other vectors."""

    def __init__(self, name: str, dimension: int) -> None:
        self.model = EmbeddingModel(name, dimension)
        self.embedded = 0

    async def embed_question(self, question: str) -> NDArray[np.float32]:
        return self._vector(question)

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        self.embedded += len(passages)
        return np.stack([self._vector(passage.text) for passage in passages])

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = vector_of(self.model.model_id + text, self.model.dimension)
        unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit


LOCAL = HashEmbedder("local", 8)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path, clock=lambda: NOW)
    yield store
    await store.close()


async def index(store: EmbeddedStore, embedders: Embedders, *names: str, expires_at: datetime | None = None) -> None:
    documents = []
    for name in names:
        record = Document(name, "docs", SourceKind.DOCS, name, "text/plain", "h", 1, expires_at=expires_at)
        passages = tuple(Passage(record, i, (name,), f"{name} part {i}", 0, 9) for i in range(3))
        documents.append(IndexedDocument(record, passages, await LOCAL.embed_passages(passages)))
    await Indexer(store, embedders).index("acme", documents, EVERYBODY)


async def best(store: EmbeddedStore, embedders: Embedders, question: str) -> str:
    """The best passage by meaning alone: by words, no question of these tests finds anything."""
    sources = (SourceQuery("vectors", SourceKind.DOCS, 1, everywhere=True),)
    found = await Finder(store, embedders, lambda: NOW).find("acme", question, sources, (), EVERYBODY)
    assert found.question_vector.tolist() == (await LOCAL.embed_question(question)).tolist()
    return found.selection.passages[0].passage.passage_id


def maintenance(store: EmbeddedStore, embedders: Embedders) -> Maintenance:
    return Maintenance(store, embedders, lambda: NOW, Random(1), interval_seconds=1.0)


async def test_the_old_index_answers_until_the_new_one_is_complete(store: EmbeddedStore) -> None:
    old = Embedders(LOCAL, LOCAL)
    await index(store, old, *(f"d{i}" for i in range(40)))
    remote = HashEmbedder("remote", 16)
    new = Embedders(LOCAL, remote)

    assert await best(store, new, "d7 part 1") == "d7#1"
    stale = await store.stale("acme", remote.model, 10)
    await store.add_vectors("acme", remote.model, [(d, await remote.embed_passages(d.passages)) for d in stale])
    assert not await store.adopt("acme", remote.model)
    stats = await store.stats("acme", EVERYBODY)
    assert stats.model == LOCAL.model
    assert stats.reindexing is not None
    assert (stats.reindexing.model, stats.reindexing.done, stats.reindexing.total) == (remote.model, 30, 120)
    assert await best(store, new, "d39 part 2") == "d39#2"

    await index(store, new, "late")
    await maintenance(store, new).reindex("acme")
    stats = await store.stats("acme", EVERYBODY)
    assert (stats.model, stats.reindexing) == (remote.model, None)
    assert remote.embedded == 30 + 93, "what was done before is not done again"
    for name in ("d0#0", "d39#2", "late#1"):
        assert await best(store, new, name.replace("#", " part ")) == name

    await index(store, new, "later")
    assert await best(store, new, "later part 0") == "later#0"


async def test_a_corpus_moves_back_to_the_local_model(store: EmbeddedStore) -> None:
    remote = HashEmbedder("remote", 16)
    await index(store, Embedders(LOCAL, remote), "d0", "d1")
    back = Embedders(LOCAL, LOCAL, remote)
    assert await best(store, back, "d1 part 1") == "d1#1"
    await maintenance(store, back).reindex("acme")
    assert (await store.model("acme")) == LOCAL.model
    assert await best(store, back, "d1 part 1") == "d1#1"


async def test_a_corpus_of_a_model_that_is_not_configured_is_named(store: EmbeddedStore) -> None:
    await index(store, Embedders(LOCAL, HashEmbedder("remote", 16)), "d0")
    without = Embedders(LOCAL, LOCAL)
    with pytest.raises(EmbeddingModelMismatchError, match="remote"):
        await best(store, without, "d0 part 0")
    with pytest.raises(EmbeddingModelMismatchError, match="remote"):
        await index(store, without, "d1")


async def test_what_has_expired_is_removed_and_the_rest_stays(store: EmbeddedStore) -> None:
    embedders = Embedders(LOCAL, LOCAL)
    await index(store, embedders, "old", expires_at=NOW)
    await index(store, embedders, "young", expires_at=NOW + timedelta(microseconds=1))
    await index(store, embedders, "ageless")
    await maintenance(store, embedders).remove_expired("acme")
    kept = await store.list("acme", EVERYBODY, page_size=10)
    assert [document.document_id for document in kept.documents] == ["ageless", "young"]
