"""The state of a corpus: the one row of the table corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.selector.passage import EmbeddingModel

if TYPE_CHECKING:
    import sqlite3

_TOMBSTONE_LIFE = 3600 * 1_000_000
"""Microseconds. A process that did not look at the corpus for longer may have to load it anew."""


class State(NamedTuple):
    """What holds for the corpus as a whole."""

    version: int
    tombstone_floor: int
    """Snapshots older than this must be loaded anew."""
    model: EmbeddingModel | None
    next_model: EmbeddingModel | None
    """The model that the corpus moves to."""


def read_state(connection: sqlite3.Connection) -> State:
    """Read it."""
    version, floor, *models = connection.execute(
        "SELECT version, tombstone_floor, model_id, dimension, next_model_id, next_dimension FROM corpus"
    ).fetchone()
    return State(version, floor, _model(*models[:2]), _model(*models[2:]))


def advance(connection: sqlite3.Connection, state: State, version: int) -> None:
    """Set the version, and forget the removals that are long past."""
    (forgotten,) = connection.execute(
        "SELECT max(version) FROM tombstones WHERE version <= ?", (version - _TOMBSTONE_LIFE,)
    ).fetchone()
    if forgotten is not None:
        connection.execute("DELETE FROM tombstones WHERE version <= ?", (forgotten,))
    floor = max(forgotten or 0, state.tombstone_floor)
    connection.execute("UPDATE corpus SET version = ?, tombstone_floor = ?", (version, floor))


def begin_anew(connection: sqlite3.Connection, version: int, model: EmbeddingModel | None) -> None:
    """Set version and model of a corpus that no snapshot may be brought up to: all load it anew."""
    connection.execute("DELETE FROM tombstones")
    connection.execute("DELETE FROM next_vectors")
    model_id, dimension = (None, None) if model is None else (model.model_id, model.dimension)
    connection.execute(
        """UPDATE corpus SET version = ?, tombstone_floor = ?, model_id = ?, dimension = ?,
        next_model_id = NULL, next_dimension = NULL""",
        (version, version, model_id, dimension),
    )


def _model(model_id: str | None, dimension: int | None) -> EmbeddingModel | None:
    return None if model_id is None or dimension is None else EmbeddingModel(model_id, dimension)
