"""One tenant's corpus: its database and the snapshot of it in memory. Blocking; any thread may call it."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from services.selector.embedded import records
from services.selector.embedded.database import connect, meaning, transaction
from services.selector.embedded.scoring import find_candidates
from services.selector.embedded.segment import Segment, StoredSignals
from services.selector.embedded.signals import Signals, make_signals
from services.selector.embedded.snapshot import Snapshot
from services.selector.errors import (
    CorruptCorpusError,
    EmbeddingModelMismatchError,
    InvalidDocumentError,
    StoreBusyError,
)
from services.selector.passage import EmbeddingModel
from services.selector.query import ScoredPassage, Selection

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from services.selector.passage import Document, IndexedDocument, Passage
    from services.selector.ports import Rank
    from services.selector.query import Pick, Query

_TOMBSTONE_LIFE = 3600 * 1_000_000
"""Microseconds. A process that did not look at the corpus for longer may have to load it anew."""
_LOAD_BATCH = 7_500
"""Passages read at once, which bounds the memory that loading takes beside its result; four make a full segment."""


class _State(NamedTuple):
    """The row of the table corpus."""

    version: int
    tombstone_floor: int
    model: EmbeddingModel | None


class Corpus:
    """Opened lazily: nothing is read before it is asked for."""

    def __init__(self, tenant: str, path: Path, clock: Callable[[], datetime], busy_timeout: float) -> None:
        self._tenant = tenant
        self._path = path
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._writing = threading.Lock()
        self._refreshing = threading.Lock()
        self._snapshot: Snapshot | None = None

    def index(self, documents: Sequence[IndexedDocument], model: EmbeddingModel) -> int:
        """See `Store.index`."""
        for indexed in documents:
            if indexed.vectors.shape[1] != model.dimension:
                raise InvalidDocumentError(f"document {indexed.document.document_id!r}: its vectors are not of {model}")
        latest = {indexed.document.document_id: indexed for indexed in documents}
        known = self.unchanged([(name, indexed.document.content_hash) for name, indexed in latest.items()])
        # Analysed before the database is locked for writing.
        ready = [(indexed, make_signals(indexed)) for name, indexed in latest.items() if name not in known]
        with self._write() as connection:
            state = self._state(connection)
            version, changed = self._next_version(state), False
            if ready:
                self._claim_model(connection, state, model)
            for indexed, signals in ready:
                document = indexed.document
                stored = connection.execute(
                    "SELECT number, content_hash FROM documents WHERE document_id = ?", (document.document_id,)
                ).fetchone()
                if stored is not None:
                    number, content_hash = stored
                    if content_hash == document.content_hash:
                        continue
                    self._remove(connection, number, version)
                records.insert(connection, indexed, signals, records.microseconds(self._clock()))
                changed = True
            return self._finish(connection, state, version, changed=changed)

    def delete(self, document_ids: Sequence[str]) -> tuple[list[str], int]:
        """See `Store.delete`."""
        with self._write() as connection:
            state = self._state(connection)
            version, deleted = self._next_version(state), []
            for document_id in document_ids:
                row = connection.execute(
                    "SELECT number FROM documents WHERE document_id = ?", (document_id,)
                ).fetchone()
                if row is not None:
                    self._remove(connection, row[0], version)
                    deleted.append(document_id)
            return deleted, self._finish(connection, state, version, changed=bool(deleted))

    def unchanged(self, fingerprints: Sequence[tuple[str, str]]) -> dict[str, int]:
        """See `Store.unchanged`."""
        found = {}
        with self._read() as connection:
            for document_id, content_hash in fingerprints:
                row = connection.execute(
                    "SELECT content_hash, passage_count FROM documents WHERE document_id = ?", (document_id,)
                ).fetchone()
                if row is not None and row[0] == content_hash:
                    found[document_id] = row[1]
        return found

    def get(self, document_id: str) -> Document | None:
        """See `Store.get`."""
        with self._read() as connection:
            return records.find(connection, document_id)

    def page(self, source: str, after: str, count: int) -> list[Document]:
        """At most `count` records of ids greater than `after`, in order."""
        with self._read() as connection:
            return records.page(connection, source, after, count)

    def version(self) -> int:
        """See `Store.corpus_version`."""
        with self._read() as connection:
            return self._state(connection).version

    def search(self, query: Query, rank: Rank) -> Selection:
        """See `Store.search`."""
        # One transaction from the version to the texts: a document is seen as it was or as it is, never half.
        with self._read() as connection:
            snapshot = self._current(connection, query.model)
            candidates, rows = find_candidates(snapshot, query)
            picks = rank(candidates)
            keys = {pick: int(snapshot.keys[rows[pick.source][pick.position]]) for pick in picks}
            passages = records.passages(connection, list(keys.values()))
            if len(passages) != len(keys):
                raise CorruptCorpusError(self._tenant, self._path, "a passage is missing")
            return Selection(tuple(_scored(pick, keys, passages) for pick in picks), snapshot.version)

    def close(self) -> None:
        """Close the connections, those in use as soon as they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with meaning(self._tenant, self._path):
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = connect(self._tenant, self._path, self._busy_timeout)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
            if self._closed:
                self.close()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection, transaction(connection, writing=False):
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        # The process's own writers queue here, where waiting costs nothing; SQLite makes them poll.
        if not self._writing.acquire(timeout=self._busy_timeout):
            raise StoreBusyError(f"the corpus of tenant {self._tenant!r} is being written by another: {self._path}")
        try:
            with self._connection() as connection, transaction(connection, writing=True):
                yield connection
        finally:
            self._writing.release()

    @staticmethod
    def _state(connection: sqlite3.Connection) -> _State:
        version, floor, model_id, dimension = connection.execute(
            "SELECT version, tombstone_floor, model_id, dimension FROM corpus"
        ).fetchone()
        return _State(version, floor, None if model_id is None else EmbeddingModel(model_id, dimension))

    def _next_version(self, state: _State) -> int:
        return max(state.version + 1, records.microseconds(self._clock()))

    def _claim_model(self, connection: sqlite3.Connection, state: _State, model: EmbeddingModel) -> None:
        if state.model == model:
            return
        if state.model is not None and connection.execute("SELECT 1 FROM documents LIMIT 1").fetchone():
            raise EmbeddingModelMismatchError(self._tenant, state.model, model)
        connection.execute("UPDATE corpus SET model_id = ?, dimension = ?", (model.model_id, model.dimension))

    @staticmethod
    def _remove(connection: sqlite3.Connection, number: int, version: int) -> None:
        records.remove(connection, number)
        connection.execute("INSERT INTO tombstones VALUES (?, ?)", (version, number))

    @staticmethod
    def _finish(connection: sqlite3.Connection, state: _State, version: int, *, changed: bool) -> int:
        if not changed:
            return state.version
        old = version - _TOMBSTONE_LIFE
        (forgotten,) = connection.execute("SELECT max(version) FROM tombstones WHERE version <= ?", (old,)).fetchone()
        if forgotten is not None:
            connection.execute("DELETE FROM tombstones WHERE version <= ?", (forgotten,))
        floor = forgotten or state.tombstone_floor
        connection.execute("UPDATE corpus SET version = ?, tombstone_floor = ?", (version, floor))
        return version

    def _current(self, connection: sqlite3.Connection, model: EmbeddingModel) -> Snapshot:
        """Return the snapshot of the state that the connection's transaction sees."""
        # Under the lock from the first read on, so that no later state is in memory than this transaction sees.
        with self._refreshing:
            state = self._state(connection)
            snapshot = self._snapshot
            if snapshot is None or not state.tombstone_floor <= snapshot.version <= state.version:
                snapshot = Snapshot(version=0, last_number=0)
            if snapshot.version != state.version:
                snapshot = self._refreshed(connection, snapshot, state)
            self._snapshot = snapshot
        if snapshot.live_count and state.model is not None and state.model != model:
            raise EmbeddingModelMismatchError(self._tenant, state.model, model)
        return snapshot

    def _refreshed(self, connection: sqlite3.Connection, snapshot: Snapshot, state: _State) -> Snapshot:
        tombstones = connection.execute("SELECT number FROM tombstones WHERE version > ?", (snapshot.version,))
        removed = np.array(tombstones.fetchall(), np.int64).ravel()
        dimension = state.model.dimension if state.model else 0
        refreshed = snapshot.without(removed, state.version)
        try:
            for stored in _batches(connection, snapshot.last_number):
                refreshed = refreshed.extended(Segment.build(stored, dimension), stored[-1].number)
        except ValueError as error:
            raise CorruptCorpusError(self._tenant, self._path, str(error)) from error
        return refreshed


def _scored(pick: Pick, keys: Mapping[Pick, int], passages: Mapping[int, Passage]) -> ScoredPassage:
    better = None if pick.duplicate_of is None else passages[keys[pick.duplicate_of]].passage_id
    return ScoredPassage(passages[keys[pick]], pick.scores, better)


def _batches(connection: sqlite3.Connection, after: int) -> Iterator[list[StoredSignals]]:
    """Signals of the documents numbered higher, in order, in batches that make a segment each."""
    rows = connection.execute(
        """SELECT number, passage_count, source, vectors, lengths, fingerprints, term_counts, terms, frequencies, facets
        FROM signals JOIN documents USING (number) WHERE number > ? ORDER BY number""",
        (after,),
    )
    batch: list[StoredSignals] = []
    count = 0
    for number, passage_count, source, *columns in rows:
        batch.append(StoredSignals(number, passage_count, source, Signals(*columns)))
        count += passage_count
        if count >= _LOAD_BATCH:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch
