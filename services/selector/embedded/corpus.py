"""One tenant's corpus: its database and the snapshot of it in memory. Blocking; any thread may call it."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.selector.embedded import records, reindexing
from services.selector.embedded.candidates import find_candidates
from services.selector.embedded.database import connect, cut_short, meaning, scrub, transaction
from services.selector.embedded.loading import bring_up_to
from services.selector.embedded.signals import make_signals
from services.selector.embedded.state import advance, begin_anew, read_state
from services.selector.embedded.view import view_for
from services.selector.errors import (
    CorruptCorpusError,
    DocumentForbiddenError,
    EmbeddingModelMismatchError,
    StoreBusyError,
    StoreUnavailableError,
)
from services.selector.moments import microseconds, next_version
from services.selector.passage import check_dimension
from services.selector.query import CorpusStats, Reindexing, Removal, ScoredPassage, Selection, Written

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.caller import Caller
    from services.selector.embedded.records import Stored
    from services.selector.embedded.snapshot import Snapshot
    from services.selector.embedded.state import State
    from services.selector.passage import Document, EmbeddingModel, IndexedDocument
    from services.selector.ports import Rank
    from services.selector.query import Pick, Query, StaleDocument


class Corpus:
    """Opened lazily: nothing is read before it is asked for."""

    def __init__(
        self, tenant: str, path: Path, clock: Callable[[], datetime], busy_timeout: float, helper: Executor
    ) -> None:
        self._tenant = tenant
        self._path = path
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._helper = helper
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._writing = threading.Lock()
        self._refreshing = threading.Lock()
        self._snapshot: Snapshot | None = None

    def index(self, documents: Sequence[IndexedDocument], model: EmbeddingModel, caller: Caller) -> Written:
        """See `Store.index`."""
        check_dimension(documents, model)
        latest = {indexed.document.document_id: indexed for indexed in documents}
        known = self.unchanged([(name, indexed.document.content_hash) for name, indexed in latest.items()], caller)
        # Analysed before the database is locked for writing.
        ready = [(indexed, make_signals(indexed)) for name, indexed in latest.items() if name not in known]
        with self._write() as connection:
            state = read_state(connection)
            version, written, replaced = next_version(state.version, self._clock()), 0, []
            if ready:
                self._claim_model(connection, state, model)
            for indexed, signals in ready:
                document = indexed.document
                stored = records.find(connection, document.document_id)
                if stored is not None:
                    if not caller.may_see(stored.acl_groups):
                        raise DocumentForbiddenError(document.document_id)
                    if stored.content_hash == document.content_hash:
                        continue
                    replaced.append(stored)
                    _remove(connection, [stored], version)
                records.insert(connection, indexed, signals, microseconds(self._clock()))
                written += 1
            if not written:
                return Written(state.version, 0, state.version)
            advance(connection, state, version)
            return Written(version, len(replaced), state.version)

    def delete(self, document_ids: Sequence[str], caller: Caller) -> Removal:
        """See `Store.delete`."""

        def choose(connection: sqlite3.Connection) -> list[Stored]:
            found = (records.find(connection, name) for name in dict.fromkeys(document_ids))
            return [stored for stored in found if stored is not None and caller.may_see(stored.acl_groups)]

        return self._removal(choose)

    def erase_subject(self, subject: str) -> Removal:
        """See `Store.erase_subject`."""
        removal = self._removal(lambda connection: records.about(connection, subject), always=True)
        self._scrub()
        return removal

    def erase(self) -> Removal:
        """See `Store.erase_tenant`."""
        with self._write() as connection:
            state = read_state(connection)
            removed = records.everything(connection)
            version = next_version(state.version, self._clock())
            for table in ("documents", "signals", "passages"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - one of three constants
            begin_anew(connection, version, None)
        self._snapshot = None
        self._scrub()
        return _as_removal(removed, version, state.version)

    def remove_expired(self, now: datetime) -> Removal:
        """See `Store.remove_expired`."""
        moment = microseconds(now)
        with self._read() as connection:
            # Asked first without the lock that keeps writers waiting.
            if not records.expired(connection, moment):
                version = read_state(connection).version
                return _as_removal([], version, version)
        return self._removal(lambda connection: records.expired(connection, moment))

    def unchanged(self, fingerprints: Sequence[tuple[str, str]], caller: Caller) -> dict[str, int]:
        """See `Store.unchanged`."""
        found = {}
        with self._read() as connection:
            for document_id, content_hash in fingerprints:
                stored = records.find(connection, document_id)
                if stored and stored.content_hash == content_hash and caller.may_see(stored.acl_groups):
                    found[document_id] = stored.passage_count
        return found

    def get(self, document_id: str, caller: Caller) -> Document | None:
        """See `Store.get`."""
        with self._read() as connection:
            document = records.record(connection, document_id)
            return document if document and caller.may_see(document.acl_groups) else None

    def page(self, caller: Caller, source: str, after: str, count: int) -> list[Document]:
        """At most `count` records of ids greater than `after`, in order."""
        with self._read() as connection, cut_short(connection):
            return records.page(connection, caller, source, after, count)

    def stats(self, caller: Caller) -> CorpusStats:
        """See `Store.stats`."""
        with self._read() as connection, cut_short(connection):
            state = read_state(connection)
            sources, done = records.stats(connection, caller)
            total = sum(source.passage_count for source in sources)
            moving = None if state.next_model is None else Reindexing(state.next_model, done, total)
            model = state.model if records.any_document(connection) else None
            return CorpusStats(tuple(sources), state.version, model, moving)

    def version(self) -> int:
        """See `Store.corpus_version`."""
        with self._read() as connection:
            return read_state(connection).version

    def model(self) -> EmbeddingModel | None:
        """See `Store.model`."""
        with self._read() as connection:
            return read_state(connection).model if records.any_document(connection) else None

    def search(self, query: Query, rank: Rank, started: float) -> Selection:
        """See `Store.search`; `started` is when it began, by `time.perf_counter`."""
        # One transaction from the version to the texts: a document is seen as it was or as it is, never half.
        with self._read() as connection:
            snapshot = self._current(connection, query.model)
            view = view_for(snapshot, query.caller, microseconds(query.now))
            finds = find_candidates(view, query, started, self._helper)
            outcomes = tuple(find.outcome for find in finds)
            if all(outcome.error_reason for outcome in outcomes):
                raise StoreUnavailableError(f"the search of tenant {self._tenant!r} ran out of time")
            picks = rank([find.candidates for find in finds], query.now)

            def key(pick: Pick) -> int:
                return int(finds[pick.source].keys[pick.position])

            wanted = {key(pick) for chosen in picks for pick in (chosen, chosen.duplicate_of) if pick is not None}
            passages = records.passages(connection, list(wanted))
            if len(passages) != len(wanted):
                raise CorruptCorpusError(self._tenant, self._path, "a passage is missing")
            found = tuple(
                ScoredPassage(
                    passage=passages[key(pick)],
                    scores=pick.scores,
                    found_by=query.sources[pick.source].source,
                    duplicate_of=None if pick.duplicate_of is None else passages[key(pick.duplicate_of)].passage_id,
                )
                for pick in picks
            )
            return Selection(found, snapshot.version, outcomes)

    def stale(self, model: EmbeddingModel, limit: int) -> list[StaleDocument]:
        """See `Store.stale`."""
        with self._read() as connection:
            return reindexing.stale(connection, read_state(connection), model, limit)

    def add_vectors(self, model: EmbeddingModel, vectors: Sequence[tuple[StaleDocument, NDArray[np.float32]]]) -> None:
        """See `Store.add_vectors`."""
        with self._write() as connection:
            reindexing.add_vectors(connection, read_state(connection), model, vectors)

    def adopt(self, model: EmbeddingModel) -> bool:
        """See `Store.adopt`."""
        with self._write() as connection:
            state = read_state(connection)
            return reindexing.adopt(connection, state, model, next_version(state.version, self._clock()))

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
    def _turn(self) -> Iterator[sqlite3.Connection]:
        """A connection for writing. The process's own writers queue here, where waiting costs nothing; SQLite polls."""
        if not self._writing.acquire(timeout=self._busy_timeout):
            raise StoreBusyError(f"the corpus of tenant {self._tenant!r} is being written by another: {self._path}")
        try:
            with self._connection() as connection:
                yield connection
        finally:
            self._writing.release()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._turn() as connection, transaction(connection, writing=True):
            yield connection

    def _scrub(self) -> None:
        with self._turn() as connection:
            scrub(self._tenant, self._path, connection)

    def _removal(self, choose: Callable[[sqlite3.Connection], list[Stored]], *, always: bool = False) -> Removal:
        """Remove what is chosen; the version grows where something is, or `always`."""
        with self._write() as connection:
            state = read_state(connection)
            version = next_version(state.version, self._clock())
            removed = choose(connection)
            if not removed and not always:
                return _as_removal(removed, state.version, state.version)
            _remove(connection, removed, version)
            advance(connection, state, version)
            return _as_removal(removed, version, state.version)

    def _claim_model(self, connection: sqlite3.Connection, state: State, model: EmbeddingModel) -> None:
        if state.model == model:
            return
        if state.model is not None and records.any_document(connection):
            raise EmbeddingModelMismatchError(self._tenant, state.model, model)
        connection.execute(
            "UPDATE corpus SET model_id = ?, dimension = ?, next_model_id = NULL, next_dimension = NULL",
            (model.model_id, model.dimension),
        )

    def _current(self, connection: sqlite3.Connection, model: EmbeddingModel) -> Snapshot:
        """Return the snapshot of the state that the connection's transaction sees."""
        # Under the lock from the first read on, so that no later state is in memory than this transaction sees.
        with self._refreshing:
            state = read_state(connection)
            try:
                snapshot = bring_up_to(connection, state, self._snapshot)
            except ValueError as error:
                raise CorruptCorpusError(self._tenant, self._path, str(error)) from error
            self._snapshot = snapshot
        if snapshot.everything.count and state.model is not None and state.model != model:
            raise EmbeddingModelMismatchError(self._tenant, state.model, model)
        return snapshot


def _remove(connection: sqlite3.Connection, documents: Sequence[Stored], version: int) -> None:
    for stored in documents:
        records.remove(connection, stored.number)
        connection.execute("INSERT INTO tombstones VALUES (?, ?)", (version, stored.number))


def _as_removal(documents: Sequence[Stored], version: int, previous: int) -> Removal:
    return Removal(
        document_ids=tuple(stored.document_id for stored in documents),
        passage_count=sum(stored.passage_count for stored in documents),
        corpus_version=version,
        previous_version=previous,
    )
