"""A corpus that an older version wrote is brought to this one where it lies."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest

from services.selector.caller import EVERYBODY, Caller
from services.selector.embedded import EmbeddedStore
from services.selector.embedded.database import SCHEMA_VERSION, connect, create
from services.selector.embedded.migrations import MIGRATIONS
from services.selector.indexing import passage_terms
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind, TrustLabel
from services.selector.query import Candidates, Condition, Pick, Query, SourceQuery
from services.selector.selection import rank
from services.selector.sketch import make_sketch

ROOT = Path(__file__).parents[3]
WRITTEN = {number: Path(__file__).with_name(f"embedded_schema_{number}.sql") for number in (1, 2)}
"""What these versions wrote: documents a, b and empty; one more was deleted."""
READER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from services.selector.caller import EVERYBODY
from services.selector.embedded import EmbeddedStore

async def main():
    store = EmbeddedStore(Path(sys.argv[2]), busy_timeout=60)
    page = await store.list("acme", EVERYBODY, page_size=10)
    print([document.document_id for document in page.documents])
    await store.close()

asyncio.run(main())
"""


@pytest.fixture(params=list(WRITTEN), ids="from version {}".format)
def old(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def database(old: int, tmp_path: Path) -> Path:
    path = tmp_path / "corpus" / "acme.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(WRITTEN[old].read_text())
    return path


@pytest.fixture
async def store(database: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(database.parent.parent)
    yield store
    await store.close()


def query(*conditions: Condition) -> Query:
    sources = (SourceQuery("docs", SourceKind.DOCS, 10),)
    return Query(("pump",), np.array([1, 0], np.float32), "model", sources, Caller(), datetime.now(UTC), conditions)


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def schema(path: Path) -> dict[str, object]:
    """Columns of each table, in alphabetical order, and the names of the indices."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return {
            name: sorted(column[1:4] for column in connection.execute(f"PRAGMA table_info({name})"))
            if kind == "table"
            else connection.execute(f"PRAGMA index_info({name})").fetchall()
            for name, kind in names
        }


async def test_what_was_there_is_found_as_before_and_by_everybody(store: EmbeddedStore) -> None:
    before = 1735689600000001
    found = await store.search("acme", query(), rank)
    assert found.corpus_version == before
    assert {f.passage.passage_id: f.passage.text for f in found.passages} == {
        "a#0": "The red pump has 3 seals",
        "a#1": "A blue valve, not a pump",
        "b#0": "Élan 😀 of pumps",
    }
    record = await store.get("acme", "a", Caller())
    assert record is not None
    assert record.created_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert (record.acl_groups, record.subjects, record.expires_at) == ((), (), None)
    assert record.trust is TrustLabel.UNTRUSTED
    assert {(f.passage.prepared, f.passage.sensitive) for f in found.passages} == {(b"\0\xff", b"")}
    filtered = await store.search("acme", query(Condition("language", ("en",))), rank)
    assert {f.passage.document.document_id for f in filtered.passages} == {"a"}


async def test_old_passages_have_their_sketches(store: EmbeddedStore) -> None:
    seen: list[Candidates] = []

    def look(candidates: Sequence[Candidates], now: datetime) -> list[Pick]:
        seen.extend(candidates)
        return []

    texts = [f.passage for f in (await store.search("acme", query(), rank)).passages]
    await store.search("acme", query(), look)
    expected = [make_sketch(passage_terms(p), p.text) for p in sorted(texts, key=lambda p: p.passage_id)]
    assert np.array_equal(seen[0].sketches, expected)


async def test_it_is_written_to_as_any_other(store: EmbeddedStore) -> None:
    record = Document("new", "docs", SourceKind.DOCS, "", "", "h", 1, acl_groups=("staff",), subjects=("zoe",))
    record = replace(record, trust=TrustLabel.TRUSTED)
    passages = (Passage(record, 0, (), "a pump", 0, 6, sensitive=b"found"),)
    indexed = IndexedDocument(record, passages, np.array([[1, 0]], np.float32))
    await store.index("acme", [indexed], EmbeddingModel("model", 2), EVERYBODY)
    by_staff = replace(query(), caller=Caller(frozenset({"staff"})))
    new = [f.passage for f in (await store.search("acme", by_staff, rank)).passages if f.passage.sensitive]
    assert [(p.passage_id, p.document.trust, p.sensitive) for p in new] == [("new#0", TrustLabel.TRUSTED, b"found")]
    assert "new" not in {f.passage.document.document_id for f in (await store.search("acme", query(), rank)).passages}
    assert (await store.erase_subject("acme", "zoe")).document_ids == ("new",)
    assert (await store.delete("acme", ["a", "b", "empty"], Caller())).passage_count == 3


async def test_it_is_what_a_new_corpus_is(store: EmbeddedStore, database: Path, tmp_path: Path) -> None:
    await store.corpus_version("acme")
    create("new", tmp_path / "new.db")
    assert version(database) == SCHEMA_VERSION
    assert schema(database) == schema(tmp_path / "new.db")


def test_processes_that_open_it_at_once_do_it_once(database: Path) -> None:
    command = [sys.executable, "-c", READER, str(ROOT), str(database.parent.parent)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [reader.communicate()[0] for reader in readers] == ["['a', 'b', 'empty']\n"] * 3
    assert version(database) == SCHEMA_VERSION


async def test_another_process_may_be_faster(
    store: EmbeddedStore, old: int, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.corpus_version("acme")
    # What this process read before it waited for the other.
    answers = chain([old], repeat(SCHEMA_VERSION))
    monkeypatch.setattr("services.selector.embedded.database._version", lambda _: next(answers))
    connect("acme", database, 5).close()
    assert version(database) == SCHEMA_VERSION


async def test_one_that_fails_half_way_changes_nothing(
    store: EmbeddedStore, old: int, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema(database)

    last = max(MIGRATIONS)

    def fail(connection: sqlite3.Connection) -> None:
        MIGRATIONS[last](connection)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("services.selector.embedded.database.MIGRATIONS", {**MIGRATIONS, last: fail})
        with pytest.raises(MemoryError):
            await store.corpus_version("acme")
    assert (version(database), schema(database)) == (old, before)
    assert await store.get("acme", "a", EVERYBODY) is not None
    assert version(database) == SCHEMA_VERSION
