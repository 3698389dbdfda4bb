"""Segment: the search signals of some documents in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from services.selector import sketch
from services.selector.embedded.postings import Postings
from services.selector.embedded.signals import Signals, source_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)

DOCUMENT_SHIFT = 20
"""A passage's key is its document's number times 2 ** 20 plus its ordinal: a document's keys are one range."""

NEVER = np.iinfo(np.int64).max
"""Expiry of what stays."""


class StoredSignals(NamedTuple):
    """One document's row of the database."""

    number: int
    """Grows with every document written."""
    passage_count: int
    source: str
    created_at: int | None
    """Microseconds since the epoch, as is `expires_at`."""
    expires_at: int | None
    signals: Signals


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Immutable. The columns have one entry a passage."""

    keys: NDArray[np.int64]
    """Ascending."""
    sources: NDArray[np.uint64]
    """`source_key` of each."""
    fingerprints: NDArray[np.uint64]
    sketches: NDArray[np.uint16]
    """Shape (passages, sketch.SIZE)."""
    created: NDArray[np.float64]
    """Seconds since the epoch; NaN where unknown."""
    expires: NDArray[np.int64]
    """Microseconds since the epoch; `NEVER` where it stays."""
    lengths: NDArray[np.float32]
    vectors: NDArray[np.float32]
    """Shape (passages, dimension)."""
    terms: Postings
    facets: Postings

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def build(cls, stored: Sequence[StoredSignals], dimension: int) -> Segment:
        """Put documents together, in ascending order of their numbers. Raises ValueError where columns do not fit."""
        counts = np.array([row.passage_count for row in stored], np.int64)
        count = int(counts.sum())
        columns = Signals(*(b"".join(column) for column in zip(*(row.signals for row in stored), strict=True)))
        numbers = np.array([row.number for row in stored], np.int64)
        sources = np.array([source_key(row.source) for row in stored], np.uint64)
        firsts = np.cumsum(counts) - counts
        created = np.array([math.nan if row.created_at is None else row.created_at / 1e6 for row in stored])
        expires = np.array([NEVER if row.expires_at is None else row.expires_at for row in stored], np.int64)
        facet_counts = np.array([len(row.signals.facets) // 8 for row in stored], np.int64)
        vectors = _column(columns.vectors, "<f4", np.float32, count * dimension)
        return cls(
            keys=np.repeat((numbers << DOCUMENT_SHIFT) - firsts, counts) + np.arange(count),
            sources=np.repeat(sources, counts),
            fingerprints=_column(columns.fingerprints, "<u8", np.uint64, count),
            sketches=_column(columns.sketches, "<u2", np.uint16, count * sketch.SIZE).reshape(count, sketch.SIZE),
            created=np.repeat(created, counts),
            expires=np.repeat(expires, counts),
            lengths=_column(columns.lengths, "<u4", np.float32, count),
            vectors=vectors.reshape(count, dimension),
            terms=_terms(columns, count),
            facets=_facets(columns.facets, facet_counts, firsts, counts),
        )

    @classmethod
    def merge(cls, parts: Sequence[tuple[Segment, NDArray[np.bool_]]]) -> Segment:
        """Put segments together, in ascending order of their keys, without the passages that are not live."""
        live = [segment if alive.all() else segment.select(alive) for segment, alive in parts]
        sizes = [len(segment) for segment in live]
        return cls(
            keys=np.concatenate([segment.keys for segment in live]),
            sources=np.concatenate([segment.sources for segment in live]),
            fingerprints=np.concatenate([segment.fingerprints for segment in live]),
            sketches=np.concatenate([segment.sketches for segment in live]),
            created=np.concatenate([segment.created for segment in live]),
            expires=np.concatenate([segment.expires for segment in live]),
            lengths=np.concatenate([segment.lengths for segment in live]),
            vectors=np.concatenate([segment.vectors for segment in live]),
            terms=Postings.concatenate([segment.terms for segment in live], sizes),
            facets=Postings.concatenate([segment.facets for segment in live], sizes),
        )

    def marked(self, facets: Sequence[int]) -> NDArray[np.bool_]:
        """Whether each passage has one of the facets."""
        marks = np.zeros(len(self), np.bool_)
        for start, end in self.facets.spans(np.array(facets, np.uint64)):
            marks[self.facets.rows[start:end]] = True
        return marks

    def select(self, live: NDArray[np.bool_]) -> Segment:
        """Return the live passages alone."""
        renumbered = np.where(live, np.cumsum(live) - 1, -1).astype(np.int32)
        return Segment(
            keys=self.keys[live],
            sources=self.sources[live],
            fingerprints=self.fingerprints[live],
            sketches=self.sketches[live],
            created=self.created[live],
            expires=self.expires[live],
            lengths=self.lengths[live],
            vectors=self.vectors[live],
            terms=self.terms.select(renumbered),
            facets=self.facets.select(renumbered),
        )


def _terms(columns: Signals, count: int) -> Postings:
    term_counts = _column(columns.term_counts, "<u4", np.int64, count)
    total = int(term_counts.sum())
    return Postings.build(
        _column(columns.terms, "<u8", np.uint64, total),
        np.repeat(np.arange(count, dtype=np.int32), term_counts),
        _column(columns.frequencies, "<u2", np.uint16, total),
    )


def _facets(
    data: bytes, facet_counts: NDArray[np.int64], firsts: NDArray[np.int64], counts: NDArray[np.int64]
) -> Postings:
    """Each of a document's facets holds for each of its passages, `counts` rows from `firsts` on."""
    facets = _column(data, "<u8", np.uint64, int(facet_counts.sum()))
    repeats = np.repeat(counts, facet_counts)
    run_starts = np.cumsum(repeats) - repeats
    rows = np.repeat(np.repeat(firsts, facet_counts) - run_starts, repeats) + np.arange(int(repeats.sum()))
    return Postings.build(np.repeat(facets, repeats), rows.astype(np.int32), np.ones(len(rows), np.uint16))


def _column(data: bytes, stored: str, kind: type[_Scalar], count: int) -> NDArray[_Scalar]:
    column = np.frombuffer(data, stored)
    if len(column) != count:
        raise ValueError(f"a column of signals has {len(column)} entries instead of {count}")
    return column.astype(kind, copy=False)
