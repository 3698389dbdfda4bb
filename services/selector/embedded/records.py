"""Rows of the database to and from the domain's records."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from services.selector.embedded.segment import DOCUMENT_SHIFT
from services.selector.embedded.signals import Signals
from services.selector.moments import microseconds, moment_of
from services.selector.passage import Document, Passage, SourceKind, TrustLabel
from services.selector.query import SourceStats

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.selector.caller import Caller
    from services.selector.passage import IndexedDocument

_COLUMNS = """document_id, source, kind, title, content_type, content_hash, size, metadata, created_at, indexed_at,
    passage_count, acl_groups, subjects, expires_at, trust"""
SIGNALS = ", ".join(Signals._fields)
"""Columns of the table signals beside the number, in the order of `Signals`."""


class Stored(NamedTuple):
    """What a write needs to know of a document."""

    number: int
    document_id: str
    content_hash: str
    passage_count: int
    acl_groups: tuple[str, ...]


def insert(connection: sqlite3.Connection, indexed: IndexedDocument, signals: Signals, indexed_at: int) -> None:
    """Write a document that is not there."""
    document = indexed.document
    number = connection.execute(
        f"INSERT INTO documents ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns only
        (
            document.document_id,
            document.source,
            document.kind,
            document.title,
            document.content_type,
            document.content_hash,
            document.size,
            json.dumps(dict(document.metadata), ensure_ascii=False),
            None if document.created_at is None else microseconds(document.created_at),
            indexed_at,
            len(indexed.passages),
            json.dumps(document.acl_groups),
            json.dumps(document.subjects),
            None if document.expires_at is None else microseconds(document.expires_at),
            document.trust,
        ),
    ).lastrowid
    assert number is not None
    connection.execute(
        f"INSERT INTO signals (number, {SIGNALS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns only
        (number, *signals),
    )
    connection.executemany(
        "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                (number << DOCUMENT_SHIFT) + passage.ordinal,
                json.dumps(passage.title_path, ensure_ascii=False),
                passage.text,
                passage.start,
                passage.end,
                passage.prepared,
                passage.sensitive,
            )
            for passage in indexed.passages
        ],
    )


def remove(connection: sqlite3.Connection, number: int) -> None:
    """Erase a document with all its passages."""
    connection.execute("DELETE FROM documents WHERE number = ?", (number,))
    connection.execute("DELETE FROM signals WHERE number = ?", (number,))
    connection.execute("DELETE FROM next_vectors WHERE number = ?", (number,))
    connection.execute("DELETE FROM passages WHERE key >= ? AND key < ?", _keys(number))


def find(connection: sqlite3.Connection, document_id: str) -> Stored | None:
    """Look up what a write needs to know of a document."""
    found = _stored(connection, "WHERE document_id = ?", document_id)
    return found[0] if found else None


def everything(connection: sqlite3.Connection) -> list[Stored]:
    """All documents."""
    return _stored(connection, "")


def expired(connection: sqlite3.Connection, now: int) -> list[Stored]:
    """Documents whose time is over at `now`, in microseconds since the epoch."""
    return _stored(connection, "WHERE expires_at <= ?", now)


def about(connection: sqlite3.Connection, subject: str) -> list[Stored]:
    """Documents that carry the subject. Reads all records: it is rare, and an index would be one more trace."""
    rows = connection.execute("SELECT number, subjects FROM documents WHERE subjects != '[]'").fetchall()
    numbers = [number for number, subjects in rows if subject in json.loads(subjects)]
    return _stored(connection, "WHERE number IN (SELECT value FROM json_each(?))", json.dumps(numbers))


def any_document(connection: sqlite3.Connection) -> bool:
    """Tell whether there is one."""
    return connection.execute("SELECT 1 FROM documents LIMIT 1").fetchone() is not None


def record(connection: sqlite3.Connection, document_id: str) -> Document | None:
    """Read a document's record."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM documents WHERE document_id = ?", (document_id,)).fetchone()  # noqa: S608 - names of columns only
    return None if row is None else _document(row)


def page(connection: sqlite3.Connection, caller: Caller, source: str, after: str, count: int) -> list[Document]:
    """Read records of ids greater than `after`, in order, of one source or (empty) of all."""
    condition = "source = ? AND document_id > ?" if source else "? = '' AND document_id > ?"
    rows = connection.execute(
        f"SELECT acl_groups, {_COLUMNS} FROM documents WHERE {condition} ORDER BY document_id",  # noqa: S608 - one of two constants
        (source, after),
    )
    visible = (_document(row[1:]) for row in rows if caller.may_see(_strings(row[0])))
    return list(islice(visible, count))


def stats(connection: sqlite3.Connection, caller: Caller) -> tuple[list[SourceStats], int]:
    """Count what the caller may see, by source; and the passages of it that have a vector of the next model."""
    rows = connection.execute(
        """SELECT source, acl_groups, count(*), sum(passage_count), sum(size),
        sum(passage_count) FILTER (WHERE number IN (SELECT number FROM next_vectors))
        FROM documents GROUP BY source, acl_groups"""
    )
    sums: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(4, np.int64))
    for source, acl_groups, *counts in rows:
        if caller.may_see(_strings(acl_groups)):
            sums[source] += [count or 0 for count in counts]
    found = [SourceStats(source, *(int(number) for number in numbers[:3])) for source, numbers in sorted(sums.items())]
    return found, sum(int(numbers[3]) for numbers in sums.values())


def passages_of(connection: sqlite3.Connection, number: int) -> tuple[Passage, ...]:
    """Read all passages of a document, in order."""
    keys = connection.execute("SELECT key FROM passages WHERE key >= ? AND key < ?", _keys(number)).fetchall()
    return tuple(passage for _, passage in sorted(passages(connection, [key for (key,) in keys]).items()))


def passages(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Passage]:
    """Read passages by key."""
    rows = connection.execute(
        f"""SELECT passages.key, title_path, text, start, "end", prepared, sensitive, number, {_COLUMNS}
        FROM json_each(?) AS wanted JOIN passages ON passages.key = wanted.value
        JOIN documents ON number = passages.key >> {DOCUMENT_SHIFT}""",  # noqa: S608 - constants only
        (json.dumps(list(keys)),),
    )
    documents: dict[int, Document] = {}
    found = {}
    for key, title_path, text, start, end, prepared, sensitive, number, *columns in rows:
        if number not in documents:
            documents[number] = _document(columns)
        ordinal = key & ((1 << DOCUMENT_SHIFT) - 1)
        found[key] = Passage(documents[number], ordinal, _strings(title_path), text, start, end, prepared, sensitive)
    return found


@lru_cache(8192)
def _strings(stored: str) -> tuple[str, ...]:
    return tuple(json.loads(stored))


def _stored(connection: sqlite3.Connection, condition: str, *parameters: str | int) -> list[Stored]:
    rows = connection.execute(
        f"""SELECT number, document_id, content_hash, passage_count, acl_groups FROM documents {condition}
        ORDER BY document_id""",  # noqa: S608 - one of the constants above
        parameters,
    )
    return [
        Stored(number, document_id, content_hash, passage_count, _strings(acl_groups))
        for number, document_id, content_hash, passage_count, acl_groups in rows
    ]


def _document(row: Sequence[Any]) -> Document:
    (
        document_id,
        source,
        kind,
        title,
        content_type,
        content_hash,
        size,
        metadata,
        created_at,
        indexed_at,
        count,
        *rest,
    ) = row
    acl_groups, subjects, expires_at, trust = rest
    return Document(
        document_id=document_id,
        source=source,
        kind=SourceKind(kind),
        title=title,
        content_type=content_type,
        content_hash=content_hash,
        size=size,
        metadata=json.loads(metadata),
        created_at=None if created_at is None else moment_of(created_at),
        acl_groups=_strings(acl_groups),
        subjects=_strings(subjects),
        expires_at=None if expires_at is None else moment_of(expires_at),
        trust=TrustLabel(trust),
        passage_count=count,
        indexed_at=moment_of(indexed_at),
    )


def _keys(number: int) -> tuple[int, int]:
    """Range of a document's passage keys."""
    return number << DOCUMENT_SHIFT, (number + 1) << DOCUMENT_SHIFT
