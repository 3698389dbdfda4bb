"""Rows of the database to and from the domain's records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from services.selector.embedded.segment import DOCUMENT_SHIFT
from services.selector.passage import Document, Passage, SourceKind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from services.selector.embedded.signals import Signals
    from services.selector.passage import IndexedDocument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = """document_id, source, kind, title, content_type, content_hash, size, metadata, created_at, indexed_at,
    passage_count"""


def microseconds(moment: datetime) -> int:
    """Whole microseconds since the epoch, exact."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def insert(connection: sqlite3.Connection, indexed: IndexedDocument, signals: Signals, indexed_at: int) -> None:
    """Write a document that is not there."""
    document = indexed.document
    number = connection.execute(
        f"INSERT INTO documents ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns only
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
        ),
    ).lastrowid
    assert number is not None
    connection.execute("INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (number, *signals))
    connection.executemany(
        "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                (number << DOCUMENT_SHIFT) + passage.ordinal,
                json.dumps(passage.title_path, ensure_ascii=False),
                passage.text,
                passage.start,
                passage.end,
                passage.prepared,
            )
            for passage in indexed.passages
        ],
    )


def remove(connection: sqlite3.Connection, number: int) -> None:
    """Erase a document with all its passages."""
    connection.execute("DELETE FROM documents WHERE number = ?", (number,))
    connection.execute("DELETE FROM signals WHERE number = ?", (number,))
    first = number << DOCUMENT_SHIFT
    connection.execute("DELETE FROM passages WHERE key >= ? AND key < ?", (first, first + (1 << DOCUMENT_SHIFT)))


def find(connection: sqlite3.Connection, document_id: str) -> Document | None:
    """Read a document's record."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM documents WHERE document_id = ?", (document_id,)).fetchone()  # noqa: S608 - names of columns only
    return None if row is None else _document(row)


def page(connection: sqlite3.Connection, source: str, after: str, count: int) -> list[Document]:
    """Read records of ids greater than `after`, in order, of one source or (empty) of all."""
    condition = "source = ? AND document_id > ?" if source else "? = '' AND document_id > ?"
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM documents WHERE {condition} ORDER BY document_id LIMIT ?",  # noqa: S608 - one of two constants
        (source, after, count),
    )
    return [_document(row) for row in rows]


def passages(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Passage]:
    """Read passages by key."""
    rows = connection.execute(
        f"""SELECT passages.key, title_path, text, start, "end", prepared, number, {_COLUMNS}
        FROM json_each(?) AS wanted JOIN passages ON passages.key = wanted.value
        JOIN documents ON number = passages.key >> {DOCUMENT_SHIFT}""",  # noqa: S608 - constants only
        (json.dumps(list(keys)),),
    )
    documents: dict[int, Document] = {}
    found = {}
    for key, title_path, text, start, end, prepared, number, *columns in rows:
        if number not in documents:
            documents[number] = _document(columns)
        ordinal = key & ((1 << DOCUMENT_SHIFT) - 1)
        found[key] = Passage(documents[number], ordinal, _titles(title_path), text, start, end, prepared)
    return found


@lru_cache(8192)
def _titles(stored: str) -> tuple[str, ...]:
    return tuple(json.loads(stored))


def _document(row: Sequence[Any]) -> Document:
    document_id, source, kind, title, content_type, content_hash, size, metadata, created_at, indexed_at, count = row
    return Document(
        document_id=document_id,
        source=source,
        kind=SourceKind(kind),
        title=title,
        content_type=content_type,
        content_hash=content_hash,
        size=size,
        metadata=json.loads(metadata),
        created_at=None if created_at is None else _moment(created_at),
        passage_count=count,
        indexed_at=_moment(indexed_at),
    )


def _moment(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)
