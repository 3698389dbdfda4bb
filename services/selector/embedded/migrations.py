"""Migrations: steps from one version of the schema to the next, each inside the transaction of whoever opens first."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from services.selector.embedded import records
from services.selector.embedded.signals import facet_column, sketch_column
from services.selector.indexing import passage_terms

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
    for number, document_id in connection.execute("SELECT number, document_id FROM documents").fetchall():
        document = records.record(connection, document_id)
        assert document is not None, "nobody else writes meanwhile"
        passages = records.passages_of(connection, number)
        sketches = sketch_column(passages, [passage_terms(passage) for passage in passages])
        connection.execute(
            "UPDATE signals SET sketches = ?, facets = ? WHERE number = ?", (sketches, facet_column(document), number)
        )
    connection.execute("PRAGMA user_version = 2")


MIGRATIONS: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = MappingProxyType({1: _to_2})
"""By the version they start from."""
