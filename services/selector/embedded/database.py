"""The database of one tenant: schema, opening, and what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from services.chassis.work import is_abandoned
from services.selector.embedded.migrations import MIGRATIONS
from services.selector.errors import CorruptCorpusError, StoreBusyError, StoreUnavailableError, UnsupportedSchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA_VERSION = 3
_SCHEMA = """
BEGIN;
CREATE TABLE corpus (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL,          -- microseconds since the epoch, or one more than before: no state comes back
    tombstone_floor INTEGER NOT NULL,  -- removals up to this version are forgotten
    model_id TEXT,
    dimension INTEGER,
    next_model_id TEXT,                -- the model that the corpus moves to
    next_dimension INTEGER
) STRICT;
INSERT INTO corpus (only, version, tombstone_floor) VALUES (1, 0, 0);

CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so newer than a snapshot means greater
    document_id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    size INTEGER NOT NULL,
    metadata TEXT NOT NULL,            -- JSON
    created_at INTEGER,                -- microseconds since the epoch
    indexed_at INTEGER NOT NULL,
    passage_count INTEGER NOT NULL,
    acl_groups TEXT NOT NULL,          -- JSON, as are subjects
    subjects TEXT NOT NULL,
    expires_at INTEGER,
    trust TEXT NOT NULL
) STRICT;
CREATE INDEX documents_by_source ON documents (source, document_id);
CREATE INDEX documents_by_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL;

-- What search reads, apart from what it hands back, so that loading a snapshot reads nothing else.
CREATE TABLE signals (
    number INTEGER PRIMARY KEY,
    vectors BLOB NOT NULL,
    lengths BLOB NOT NULL,
    fingerprints BLOB NOT NULL,
    term_counts BLOB NOT NULL,
    terms BLOB NOT NULL,
    frequencies BLOB NOT NULL,
    facets BLOB NOT NULL,
    sketches BLOB NOT NULL
) STRICT;

-- Vectors of the next model, of the documents that have them already.
CREATE TABLE next_vectors (number INTEGER PRIMARY KEY, vectors BLOB NOT NULL) STRICT;

CREATE TABLE passages (
    key INTEGER PRIMARY KEY,           -- document number * 2 ** 20 + ordinal
    title_path TEXT NOT NULL,          -- JSON
    text TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    prepared BLOB NOT NULL,
    sensitive BLOB NOT NULL
) STRICT;

-- Documents that were removed or replaced lately, for the snapshots that still have them.
CREATE TABLE tombstones (version INTEGER, number INTEGER, PRIMARY KEY (version, number)) STRICT, WITHOUT ROWID;
COMMIT;
"""
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

_STEPS = 20_000
"""Instructions of SQLite's machine between two looks at whether anybody waits: a millisecond."""


@contextmanager
def cut_short(connection: sqlite3.Connection) -> Iterator[None]:
    """Within the `with`, a query for which nobody waits any more is interrupted: for those that read much."""
    connection.set_progress_handler(is_abandoned, _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def create(tenant: str, path: Path) -> None:
    """Make an empty database, unless there is one. It appears whole or not at all, whoever else does the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In this order: a log is only ever made beside a database.
    if path.with_name(f"{path.name}-wal").exists() and not path.exists():
        raise CorruptCorpusError(tenant, path, "the file is missing beside its write-ahead log")
    with TemporaryDirectory(prefix=".new-", dir=path.parent) as room:
        made = f"{room}/{path.name}"
        with closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        try:
            os.link(made, path)
        except FileExistsError:
            return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def connect(tenant: str, path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Open an existing database; it may pass from thread to thread but serves one at a time.

    One of an older version is brought to this one. `busy_timeout` is the seconds to wait for another writer, at most.
    Raises `CorruptCorpusError` and `UnsupportedSchemaError`; sqlite3's own errors for the rest, see `meaning`.
    """
    if not path.stat().st_size:
        # SQLite would take it for a new database and throw away a write-ahead log that stands beside it.
        raise CorruptCorpusError(tenant, path, "the file is empty")
    _check_header(tenant, path)
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, busy_timeout, uri=True, isolation_level=None, check_same_thread=False)
    try:
        # FULL syncs the log at each commit: what was acknowledged survives a power loss.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        # What is deleted is overwritten: a person's text does not stay behind in free pages.
        connection.execute("PRAGMA secure_delete = ON").fetchone()
        found = _version(connection)
        if found in MIGRATIONS:
            with transaction(connection, writing=True):
                # Asked again behind the lock: another process may have been faster.
                while migrate := MIGRATIONS.get(_version(connection)):
                    migrate(connection)
            found = _version(connection)
    except BaseException:
        connection.close()
        raise
    if found != SCHEMA_VERSION:
        connection.close()
        raise UnsupportedSchemaError(tenant, path, found, SCHEMA_VERSION)
    return connection


def _check_header(tenant: str, path: Path) -> None:
    """SQLite would answer from a write-ahead log that stands beside a broken file, as far as that goes.

    Read by SQLite: whoever closes a file of his own takes all locks of the process from it (POSIX), and another process
    that saw none would delete the log under our connections.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        try:
            _version(connection)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) in _CORRUPT:
                raise CorruptCorpusError(tenant, path, "the file is no database") from error
            raise


def scrub(tenant: str, path: Path, connection: sqlite3.Connection) -> None:
    """Leave nothing in the files that is not in the tables.

    Raises `StoreBusyError` where another process reads or writes for longer than the bounded wait; trying again is
    right.
    """
    # Not secure_delete alone: balancing a page can leave a copy of what it moved to another.
    connection.execute("VACUUM")
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreBusyError(f"what was erased from the corpus of tenant {tenant!r} is still in its log: {path}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


@contextmanager
def meaning(tenant: str, path: Path) -> Iterator[None]:
    """Turn sqlite3's errors into the store's."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in _CORRUPT:
            raise CorruptCorpusError(tenant, path, str(error)) from error
        if primary in _BUSY:
            raise StoreBusyError(f"the corpus of tenant {tenant!r} is being written by another: {path}") from error
        raise StoreUnavailableError(f"the corpus of tenant {tenant!r} cannot be reached: {path}: {error}") from error
    except OSError as error:
        raise StoreUnavailableError(f"the corpus of tenant {tenant!r} cannot be reached: {path}: {error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection, *, writing: bool) -> Iterator[None]:
    """One state of the database for all that is read inside, or all writes or none."""
    connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
