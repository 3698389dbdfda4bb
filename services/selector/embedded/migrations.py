"""Migrations: steps from one version of the schema to the next, each inside the transaction of whoever opens first.

A step reads by itself what it needs of the version it starts from; `records` reads the newest one.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from services.selector.embedded.segment import DOCUMENT_SHIFT
from services.selector.embedded.signals import facet_column, sketch_column
from services.selector.indexing import passage_terms
from services.selector.passage import Document, Passage, SourceKind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping


def _to_2(connection: sqlite3.Connection) -> None:
    """Groups, subjects, expiry, sketches and vectors of a next model; the facets of old documents get their keys."""
    for statement in (
        "ALTER TABLE corpus ADD COLUMN next_model_id TEXT",
        "ALTER TABLE corpus ADD COLUMN next_dimension INTEGER",
        "ALTER TABLE documents ADD COLUMN acl_groups TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE documents ADD COLUMN subjects TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE documents ADD COLUMN expires_at INTEGER",
        "CREATE INDEX documents_by_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL",
        "ALTER TABLE signals ADD COLUMN sketches BLOB NOT NULL DEFAULT x''",
        "CREATE TABLE next_vectors (number INTEGER PRIMARY KEY, vectors BLOB NOT NULL) STRICT",
    ):
        connection.execute(statement)
    for number, metadata in connection.execute("SELECT number, metadata FROM documents").fetchall():
        document = Document("", "", SourceKind.DOCS, "", "", "", 0, json.loads(metadata))
        texts = connection.execute(
            "SELECT title_path, text FROM passages WHERE key >= ? AND key < ? ORDER BY key",
            (number << DOCUMENT_SHIFT, (number + 1) << DOCUMENT_SHIFT),
        )
        passages = [
            Passage(document, ordinal, tuple(json.loads(titles)), text, 0, len(text))
            for ordinal, (titles, text) in enumerate(texts)
        ]
        sketches = sketch_column(passages, [passage_terms(passage) for passage in passages])
        connection.execute(
            "UPDATE signals SET sketches = ?, facets = ? WHERE number = ?", (sketches, facet_column(document), number)
        )
    connection.execute("PRAGMA user_version = 2")


def _to_3(connection: sqlite3.Connection) -> None:
    """Trust, and what was found sensitive: nobody vouched for the old documents, and nobody looked."""
    connection.execute("ALTER TABLE documents ADD COLUMN trust TEXT NOT NULL DEFAULT 'untrusted'")
    connection.execute("ALTER TABLE passages ADD COLUMN sensitive BLOB NOT NULL DEFAULT x''")
    connection.execute("PRAGMA user_version = 3")


MIGRATIONS: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = MappingProxyType({1: _to_2, 2: _to_3})
"""By the version they start from."""
