"""A change of the embedding model: new vectors are gathered beside those in use, then all are swapped at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.selector.embedded import records
from services.selector.embedded.signals import vector_column
from services.selector.embedded.state import begin_anew
from services.selector.errors import InvalidDocumentError
from services.selector.passage import IndexedDocument
from services.selector.query import StaleDocument

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.embedded.state import State
    from services.selector.passage import EmbeddingModel


def stale(connection: sqlite3.Connection, state: State, model: EmbeddingModel, limit: int) -> list[StaleDocument]:
    """See `Store.stale`."""
    return [
        StaleDocument(document_id, content_hash, records.passages_of(connection, number))
        for number, document_id, content_hash in _stale(connection, state, model, limit)
    ]


def add_vectors(
    connection: sqlite3.Connection,
    state: State,
    model: EmbeddingModel,
    vectors: Sequence[tuple[StaleDocument, NDArray[np.float32]]],
) -> None:
    """See `Store.add_vectors`."""
    for document, matrix in vectors:
        check_vectors(document, matrix, model)
    if model == state.model:
        return
    if model != state.next_model:
        connection.execute("DELETE FROM next_vectors")
        connection.execute("UPDATE corpus SET next_model_id = ?, next_dimension = ?", (model.model_id, model.dimension))
    connection.executemany(
        """INSERT OR REPLACE INTO next_vectors
        SELECT number, ? FROM documents WHERE document_id = ? AND content_hash = ? AND passage_count = ?""",
        [
            (vector_column(matrix), document.document_id, document.content_hash, len(matrix))
            for document, matrix in vectors
        ],
    )


def adopt(connection: sqlite3.Connection, state: State, model: EmbeddingModel, version: int) -> bool:
    """See `Store.adopt`; the corpus gets the version where it changes."""
    if model == state.model:
        return True
    if any(_stale(connection, state, model, 1)):
        return False
    # Of a model that was never begun there are no vectors and, since nothing is stale, no passages.
    connection.execute(
        """UPDATE signals SET vectors = next_vectors.vectors FROM next_vectors
        WHERE next_vectors.number = signals.number"""
    )
    begin_anew(connection, version, model)
    return True


def check_vectors(document: StaleDocument, vectors: NDArray[np.float32], model: EmbeddingModel) -> None:
    """Raise `InvalidDocumentError` where vectors are not those of the document's passages by the model."""
    if vectors.shape != (len(document.passages), model.dimension):
        raise InvalidDocumentError(
            f"document {document.document_id!r}: vectors of shape {vectors.shape} "
            f"for {len(document.passages)} passages and {model}"
        )
    if document.passages:
        IndexedDocument(document.passages[0].document, document.passages, vectors)


def _stale(
    connection: sqlite3.Connection, state: State, model: EmbeddingModel, limit: int
) -> Iterator[tuple[int, str, str]]:
    if model == state.model:
        return
    done = "AND number NOT IN (SELECT number FROM next_vectors)" if model == state.next_model else ""
    yield from connection.execute(
        f"""SELECT number, document_id, content_hash FROM documents
        WHERE passage_count > 0 {done} ORDER BY document_id LIMIT ?""",  # noqa: S608 - one of two constants
        (limit,),
    ).fetchall()
