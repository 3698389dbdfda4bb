"""After an erasure a raw look into the files finds nothing, whatever happened to the text before."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest

from services.selector.caller import EVERYBODY
from services.selector.embedded import EmbeddedStore
from services.selector.errors import StoreBusyError
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind
from services.selector.query import Query, SourceQuery
from services.selector.selection import rank

MODEL = EmbeddingModel("model", 4)
NEXT_MODEL = EmbeddingModel("next", 4)
MARK = "zoesecret"
VECTOR = np.array([[0.18, 0.54, 0.39, 0]], np.float32)
VECTOR[0, 3] = np.sqrt(1 - np.square(VECTOR).sum())
KEPT = "everydaytext"


def document(name: str, word: str, text: str = "", content_hash: str = "h1") -> IndexedDocument:
    """A document with the word in all that it is made of."""
    record = Document(
        document_id=f"{name}{word}",
        source="docs",
        kind=SourceKind.DOCS,
        title=word,
        content_type="text/plain",
        content_hash=f"{word}{content_hash}",
        size=1,
        metadata={"author": word},
        acl_groups=(word,),
        subjects=(word, "other"),
    )
    passage = Passage(record, 0, (word,), f"{word} {text}", 0, 5, word.encode() * 20)
    vectors = VECTOR if word == MARK else np.eye(1, 4, dtype=np.float32)
    return IndexedDocument(record, (passage,), vectors)


async def search(store: EmbeddedStore) -> set[str]:
    sources = (SourceQuery("docs", SourceKind.DOCS, 1000),)
    query = Query((MARK, KEPT), VECTOR[0], "model", sources, EVERYBODY, datetime.now(UTC))
    return {f.passage.document.document_id for f in (await store.search("acme", query, rank)).passages}


def raw(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path, busy_timeout=0.5)
    yield store
    await store.close()


@pytest.fixture
async def filled(store: EmbeddedStore, tmp_path: Path) -> EmbeddedStore:
    """With documents about the mark that stand, were replaced and were deleted, and some of another."""
    for round_ in ("h1", "h2"):
        batch = [document(f"{i}-", MARK, "long " * 50 * i, round_) for i in range(20)]
        await store.index("acme", [*batch, document("a", KEPT), document("b", KEPT)], MODEL, EVERYBODY)
    await store.delete("acme", [f"3-{MARK}"], EVERYBODY)
    stale = await store.stale("acme", NEXT_MODEL, 100)
    plain = np.eye(1, 4, dtype=np.float32)
    vectors = [(item, VECTOR[:, ::-1] if MARK in item.document_id else plain) for item in stale]
    await store.add_vectors("acme", NEXT_MODEL, vectors)
    assert len(await search(store)) == 21
    assert MARK.encode() in raw(tmp_path)
    assert VECTOR.tobytes() in raw(tmp_path)
    assert VECTOR[:, ::-1].tobytes() in raw(tmp_path)
    return store


async def test_nothing_of_an_erased_subject_is_left(filled: EmbeddedStore, tmp_path: Path) -> None:
    searching = asyncio.gather(*(search(filled) for _ in range(5)))
    removal = await filled.erase_subject("acme", MARK)
    await searching
    assert len(removal.document_ids) == 19
    for trace in (MARK.encode(), VECTOR.tobytes(), VECTOR[:, ::-1].tobytes()):
        assert trace not in raw(tmp_path)
    assert KEPT.encode() in raw(tmp_path)
    assert await search(filled) == {f"a{KEPT}", f"b{KEPT}"}


async def test_nothing_of_an_erased_tenant_is_left(filled: EmbeddedStore, tmp_path: Path) -> None:
    await filled.erase_tenant("acme")
    for word in (MARK.encode(), KEPT.encode(), VECTOR.tobytes(), VECTOR[:, ::-1].tobytes()):
        assert word not in raw(tmp_path)
    assert await search(filled) == set()


@pytest.mark.parametrize("seed", range(3))
async def test_pages_that_were_balanced_keep_no_copy(store: EmbeddedStore, tmp_path: Path, seed: int) -> None:
    """secure_delete overwrites what is deleted, not what was copied from page to page before."""
    random = Random(seed)
    for _ in range(25):
        names = [f"{random.random()}{'x' * random.randint(0, 300)}" for _ in range(8)]
        batch = [
            document(name, MARK if random.random() < 0.3 else KEPT, "w " * random.randint(0, 2000)) for name in names
        ]
        await store.index("acme", batch, MODEL, EVERYBODY)
    await store.erase_subject("acme", MARK)
    assert MARK.encode() not in raw(tmp_path)


async def test_while_another_process_reads_it_is_removed_and_calling_again_goes_on(
    filled: EmbeddedStore, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "corpus" / "acme.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM documents").fetchone()
        with pytest.raises(StoreBusyError, match="erased"):
            await filled.erase_subject("acme", MARK)
        assert await search(filled) == {f"a{KEPT}", f"b{KEPT}"}
        reader.execute("ROLLBACK")
        assert (await filled.erase_subject("acme", MARK)).document_ids == ()
        assert MARK.encode() not in raw(tmp_path)
