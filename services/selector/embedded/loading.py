"""Loading: from the rows of the database to a snapshot in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.selector.embedded.records import SIGNALS
from services.selector.embedded.segment import Segment, StoredSignals
from services.selector.embedded.signals import Signals
from services.selector.embedded.snapshot import Snapshot

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from services.selector.embedded.state import State

_LOAD_BATCH = 7_500
"""Passages read at once, which bounds the memory that loading takes beside its result; four make a full segment."""


def bring_up_to(connection: sqlite3.Connection, state: State, snapshot: Snapshot | None) -> Snapshot:
    """Return the snapshot of the state that the connection's transaction sees, made from an older one where there is.

    Raises ValueError where the stored signals do not fit together.
    """
    if snapshot is None or not state.tombstone_floor <= snapshot.version <= state.version:
        snapshot = Snapshot(version=0, last_number=0)
    if snapshot.version == state.version:
        return snapshot
    tombstones = connection.execute("SELECT number FROM tombstones WHERE version > ?", (snapshot.version,))
    removed = np.array(tombstones.fetchall(), np.int64).ravel()
    dimension = state.model.dimension if state.model else 0
    refreshed = snapshot.without(removed, state.version)
    for stored in _batches(connection, snapshot.last_number):
        refreshed = refreshed.extended(Segment.build(stored, dimension), stored[-1].number)
    return refreshed


def _batches(connection: sqlite3.Connection, after: int) -> Iterator[list[StoredSignals]]:
    """Signals of the documents numbered higher, in order, in batches that make a segment each."""
    rows = connection.execute(
        f"""SELECT number, passage_count, source, created_at, expires_at, {SIGNALS}
        FROM signals JOIN documents USING (number) WHERE number > ? ORDER BY number""",  # noqa: S608 - names of columns only
        (after,),
    )
    batch: list[StoredSignals] = []
    count = 0
    for number, passage_count, source, created_at, expires_at, *columns in rows:
        batch.append(StoredSignals(number, passage_count, source, created_at, expires_at, Signals(*columns)))
        count += passage_count
        if count >= _LOAD_BATCH:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch
