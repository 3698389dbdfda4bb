"""What the embedded store does when a process dies, the disk lies or others write too."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from services.selector.caller import EVERYBODY
from services.selector.embedded import EmbeddedStore
from services.selector.errors import (
    CorruptCorpusError,
    InvalidDocumentError,
    StoreBusyError,
    StoreUnavailableError,
    UnsupportedSchemaError,
)
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind
from services.selector.query import Query, Removal, SourceQuery
from services.selector.selection import rank

ROOT = Path(__file__).parents[3]
MODEL = EmbeddingModel("model", 2)
WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
from services.selector.caller import EVERYBODY
from services.selector.embedded import EmbeddedStore
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind

async def main():
    store = EmbeddedStore(Path(sys.argv[2]))
    for i in range(int(sys.argv[4])):
        record = Document(f"{sys.argv[3]}-{i:05}", "docs", SourceKind.DOCS, "", "", "h", 1)
        passage = Passage(record, 0, (), f"pump {i}", 0, 6, b"x" * 3000)
        vector = np.array([[1, 0]], np.float32)
        document = IndexedDocument(record, (passage,), vector)
        version, *_ = await store.index("acme", [document], EmbeddingModel("model", 2), EVERYBODY)
        print(record.document_id, version, flush=True)

asyncio.run(main())
"""


def document(name: str, text: str = "pump") -> IndexedDocument:
    record = Document(name, "docs", SourceKind.DOCS, "", "", "h", 1)
    return IndexedDocument(record, (Passage(record, 0, (), text, 0, 4),), np.array([[1, 0]], np.float32))


async def found_by(store: EmbeddedStore, tenant: str = "acme") -> set[str]:
    sources = (SourceQuery("docs", SourceKind.DOCS, 10_000),)
    query = Query(("pump",), np.array([1, 0], np.float32), "model", sources, EVERYBODY, datetime.now(UTC))
    selection = await store.search(tenant, query, rank)
    return {found.passage.document.document_id for found in selection.passages}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def start_writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(ROOT), str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path, busy_timeout=0.2)
    yield store
    await store.close()


async def test_what_was_acknowledged_survives_kill_9(store: EmbeddedStore, tmp_path: Path) -> None:
    with start_writer(tmp_path, "doc", 100_000) as writer:
        assert writer.stdout is not None
        acknowledged = [line.split() for line in (writer.stdout.readline() for _ in range(30))]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [line.split() for line in writer.stdout if line.endswith("\n")]
    names = {name for name, _ in acknowledged}
    found = await found_by(store)
    assert names <= found
    # At most one write was under way when it died.
    assert len(found) <= len(names) + 1
    assert await store.corpus_version("acme") >= int(acknowledged[-1][1])
    with closing(sqlite3.connect(tmp_path / "corpus" / "acme.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    await store.index("acme", [document("after")], MODEL, EVERYBODY)
    assert await found_by(store) == found | {"after"}


async def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, name, 40) for name in ("left", "right")]
    outputs = [await asyncio.to_thread(writer.communicate) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    versions = [int(line.split()[1]) for output, _ in outputs for line in output.splitlines()]
    assert len(set(versions)) == 80
    store = EmbeddedStore(tmp_path)
    assert await found_by(store) == {f"{name}-{i:05}" for name in ("left", "right") for i in range(40)}
    await store.close()


def garble(path: Path) -> None:
    path.write_bytes(b"no database at all " * 500)


def garble_pages(path: Path) -> None:
    """The header stays, the tables are noise."""
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\x55" * (len(content) - 100))


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def lose_vectors(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE signals SET vectors = x'00'")
        connection.commit()


def lose_passages(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM passages")
        connection.commit()


@pytest.mark.parametrize("damage", [garble, garble_pages, truncate, lose_vectors, lose_passages])
async def test_a_damaged_corpus_is_named_and_left_as_it_is(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    healthy = EmbeddedStore(tmp_path)
    await healthy.index("acme", [document("a")], MODEL, EVERYBODY)
    await healthy.index("other", [document("b")], MODEL, EVERYBODY)
    await healthy.close()
    path = tmp_path / "corpus" / "acme.db"
    damage(path)
    before = path.read_bytes()

    store = EmbeddedStore(tmp_path)
    with pytest.raises(CorruptCorpusError, match=r"'acme'.*acme\.db") as caught:
        await found_by(store)
    assert (caught.value.tenant, caught.value.path) == ("acme", path)
    if damage in {garble, garble_pages, truncate}:
        with pytest.raises(CorruptCorpusError):
            await store.index("acme", [document("c")], MODEL, EVERYBODY)
    assert await found_by(store, "other") == {"b"}
    await store.close()
    assert path.read_bytes() == before


async def test_a_log_without_its_database_is_not_thrown_away(store: EmbeddedStore, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    log = tmp_path / "corpus" / "acme.db-wal"
    log.write_bytes(b"the last writes")
    with pytest.raises(CorruptCorpusError, match="write-ahead log"):
        await store.index("acme", [document("a")], MODEL, EVERYBODY)
    assert log.read_bytes() == b"the last writes"


async def test_a_corpus_of_another_version_is_not_touched(store: EmbeddedStore, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with closing(sqlite3.connect(tmp_path / "corpus" / "acme.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UnsupportedSchemaError, match="schema 99"):
        await store.index("acme", [document("a")], MODEL, EVERYBODY)


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text("a file")
    store = EmbeddedStore(tmp_path)
    with pytest.raises(StoreUnavailableError, match="'acme'"):
        await store.index("acme", [document("a")], MODEL, EVERYBODY)
    await store.close()


async def test_waiting_for_another_writer_is_bounded_and_reading_goes_on(store: EmbeddedStore, tmp_path: Path) -> None:
    await store.index("acme", [document("a")], MODEL, EVERYBODY)
    with closing(sqlite3.connect(tmp_path / "corpus" / "acme.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            await store.index("acme", [document("b")], MODEL, EVERYBODY)
        assert await found_by(store) == {"a"}
        other.execute("ROLLBACK")
    await store.index("acme", [document("b")], MODEL, EVERYBODY)
    assert await found_by(store) == {"a", "b"}


async def test_a_failed_write_leaves_nothing_behind(store: EmbeddedStore) -> None:
    await store.index("acme", [document("a")], MODEL, EVERYBODY)
    version = await store.corpus_version("acme")
    with pytest.raises(UnicodeEncodeError):
        await store.index("acme", [document("b"), document("c", "half a pair: \ud800")], MODEL, EVERYBODY)
    assert await store.corpus_version("acme") == version
    assert await found_by(store) == {"a"}


async def test_reading_makes_no_files(store: EmbeddedStore, tmp_path: Path) -> None:
    assert await found_by(store) == set()
    assert await store.corpus_version("acme") == 0
    assert await store.delete("acme", ["a"], EVERYBODY) == Removal((), 0, 0, 0)
    assert files(tmp_path) == []


async def test_tenants_beyond_the_bound_are_closed_and_come_back(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, max_open=2)
    for tenant in ("a", "b", "c", "a"):
        await store.index(tenant, [document(f"of-{tenant}")], MODEL, EVERYBODY)
        assert await found_by(store, tenant) == {f"of-{tenant}"}
        assert len(store._open) <= 2
    await store.close()
    # Closing the last connection folds the log into the database.
    assert files(tmp_path / "corpus") == ["a.db", "b.db", "c.db"]


async def test_a_process_that_slept_past_the_tombstones_loads_anew(tmp_path: Path) -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    writer, sleeper = (EmbeddedStore(tmp_path, clock=lambda: now) for _ in range(2))
    await writer.index("acme", [document("a"), document("b")], MODEL, EVERYBODY)
    assert await found_by(sleeper) == {"a", "b"}
    await writer.delete("acme", ["a"], EVERYBODY)
    now += timedelta(hours=2)
    await writer.index("acme", [document("c")], MODEL, EVERYBODY)
    with closing(sqlite3.connect(tmp_path / "corpus" / "acme.db")) as connection:
        assert connection.execute("SELECT count(*) FROM tombstones").fetchone() == (0,)
    assert await found_by(sleeper) == {"b", "c"}
    await writer.close()
    await sleeper.close()


async def test_the_clock_may_go_backwards(tmp_path: Path) -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    store = EmbeddedStore(tmp_path, clock=lambda: now)
    first = await store.index("acme", [document("a")], MODEL, EVERYBODY)
    now -= timedelta(days=1)
    assert await store.index("acme", [document("b")], MODEL, EVERYBODY) == (first[0] + 1, 0, first[0])
    assert await found_by(store) == {"a", "b"}
    await store.close()


async def test_vectors_of_another_size_are_refused(store: EmbeddedStore) -> None:
    with pytest.raises(InvalidDocumentError, match="3 dimensions"):
        await store.index("acme", [document("a")], EmbeddingModel("model", 3), EVERYBODY)


async def test_work_for_all_tenants_closes_none_that_is_searched(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, max_open=1)
    for tenant in "cba":
        await store.index(tenant, [document("a")], MODEL, EVERYBODY)
    open_before = list(store._open)
    for tenant in await store.tenants():
        await store.remove_expired(tenant, datetime.now(UTC))
        await store.adopt(tenant, MODEL)
    assert list(store._open) == open_before
    await store.close()


async def test_a_damaged_corpus_is_a_tenant_still(store: EmbeddedStore, tmp_path: Path) -> None:
    await store.index("other", [document("a")], MODEL, EVERYBODY)
    garble(tmp_path / "corpus" / "acme.db")
    (tmp_path / "corpus" / "No tenant.db").write_bytes(b"")
    assert list(await store.tenants()) == ["acme", "other"]
