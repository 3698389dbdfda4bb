"""All passages of a request as flat arrays, so that every unit is scored at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from services.compressor.prepared import COUNTED_ENCODINGS, CUES, FRAME, JOIN_MASK, JOIN_SHIFT, Column, restore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.compressor.prepared import PassageSignals
    from services.compressor.scoring.cues import Cue

TERM_VECTOR_DIMENSION: Final = 256


@dataclass(frozen=True, slots=True)
class Postings:
    """Term ids and the row (unit or passage) each stands in."""

    ids: NDArray[np.uint32]
    rows: NDArray[np.intp]

    def present(self, terms: NDArray[np.uint32], row_count: int) -> NDArray[np.bool_]:
        """(row_count, terms) whether each of the sorted, distinct `terms` stands in each row."""
        result = np.zeros((row_count, len(terms)), np.bool_)
        if len(terms):
            columns = np.minimum(np.searchsorted(terms, self.ids), len(terms) - 1)
            hits = np.flatnonzero(terms[columns] == self.ids)
            result[self.rows[hits], columns[hits]] = True
        return result

    def counts(self, terms: NDArray[np.uint32], row_count: int) -> NDArray[np.float64]:
        """(row_count, terms) how often each of the sorted, distinct `terms` stands in each row."""
        width = len(terms)
        if not width or not len(self.ids):
            return np.zeros((row_count, width))
        columns = np.minimum(np.searchsorted(terms, self.ids), width - 1)
        hits = np.flatnonzero(terms[columns] == self.ids)
        cells = self.rows[hits] * width + columns[hits]
        return np.bincount(cells, minlength=row_count * width).reshape(row_count, width).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Context:
    """n units of p passages, in order."""

    owner: NDArray[np.intp]
    """(n,) index of the passage a unit belongs to."""
    position: NDArray[np.intp]
    """(n,) 0 for the first unit of its passage."""
    firsts: NDArray[np.intp]
    """(p,) index of each passage's first unit."""
    starts: NDArray[np.int64]
    """(n,) code points."""
    ends: NDArray[np.int64]
    cues: NDArray[np.int64]
    """(n,) bits of `cues.Cue`."""
    joins: NDArray[np.int64]
    """(n,) `unit.Join`."""
    frames: NDArray[np.bool_]
    """(n,) whether a unit is kept only where another needs it."""
    needs: Mapping[int, tuple[int, ...]]
    """Units that units need, by unit; those that are not named need none."""
    tokens: NDArray[np.int64]
    """(n,) what appending the unit costs, by the request's encoding."""
    terms: Postings
    """Rows are units."""
    names: Postings
    """Rows are units."""
    titles: Postings
    """Rows are passages."""
    vectors: NDArray[np.float32]
    """(n, d) unit rows, zero where a passage came without; stand-ins from the terms where all did."""
    has_vectors: bool
    """Whether the vectors are an encoder's."""

    @property
    def size(self) -> int:
        """Number of units."""
        return len(self.owner)

    def has(self, cue: Cue) -> NDArray[np.float64]:
        """(n,) 1 where a unit has the cue, else 0."""
        return ((self.cues & cue) > 0).astype(np.float64)

    @property
    def passage_count(self) -> int:
        """Number of passages."""
        return len(self.firsts)


def build_context(passages: Sequence[PassageSignals], encoding: str) -> Context:
    """One context of many passages, in their order.

    Args:
        passages: at least one, each with at least one unit.
        encoding: one of `COUNTED_ENCODINGS`.
    """
    table = np.concatenate([passage.table for passage in passages])
    unit_counts = np.array([passage.unit_count for passage in passages], np.intp)
    owner = np.repeat(np.arange(len(passages)), unit_counts)
    firsts = np.cumsum(unit_counts) - unit_counts
    rows = np.arange(len(table))
    terms = Postings(
        np.concatenate([passage.terms for passage in passages]), np.repeat(rows, table[:, Column.TERM_COUNT])
    )
    flags = table[:, Column.FLAGS].astype(np.int64)
    vectors = _vectors(passages, table)
    has_vectors = vectors.shape[1] > 0
    return Context(
        owner=owner,
        position=rows - firsts[owner],
        firsts=firsts,
        starts=table[:, Column.START].astype(np.int64),
        ends=table[:, Column.END].astype(np.int64),
        cues=flags & CUES,
        joins=flags >> JOIN_SHIFT & JOIN_MASK,
        frames=(flags & FRAME) > 0,
        needs=_needs(passages, table[:, Column.NEED_COUNT], firsts),
        tokens=table[:, Column.TOKENS + COUNTED_ENCODINGS.index(encoding)].astype(np.int64),
        terms=terms,
        names=Postings(
            np.concatenate([passage.names for passage in passages]), np.repeat(rows, table[:, Column.NAME_COUNT])
        ),
        titles=Postings(
            np.concatenate([passage.title_terms for passage in passages]),
            np.repeat(np.arange(len(passages)), [len(passage.title_terms) for passage in passages]),
        ),
        vectors=vectors if has_vectors else _term_vectors(terms, len(table)),
        has_vectors=has_vectors,
    )


def _needs(
    passages: Sequence[PassageSignals], counts: NDArray[np.uint32], firsts: NDArray[np.intp]
) -> dict[int, tuple[int, ...]]:
    lengths = [len(passage.needs) for passage in passages]
    if not any(lengths):
        return {}
    flat = (np.concatenate([passage.needs for passage in passages]) + np.repeat(firsts, lengths)).tolist()
    ends = np.cumsum(counts).tolist()
    return {unit: tuple(flat[ends[unit] - count : ends[unit]]) for unit, count in enumerate(counts.tolist()) if count}


def _vectors(passages: Sequence[PassageSignals], table: NDArray[np.uint32]) -> NDArray[np.float32]:
    width = max(passage.steps.shape[1] for passage in passages)
    fits = [passage.steps.shape[1] == width for passage in passages]
    scales = np.ascontiguousarray(table[:, Column.SCALE]).view(np.float32)
    if all(fits):
        return restore(np.concatenate([passage.steps for passage in passages]), scales)
    blocks = [
        passage.steps if fit else np.zeros((passage.unit_count, width), np.uint8)
        for passage, fit in zip(passages, fits, strict=True)
    ]
    known = np.repeat(fits, [passage.unit_count for passage in passages])
    return restore(np.concatenate(blocks), np.where(known, scales, np.float32(0)))


def _term_vectors(terms: Postings, size: int) -> NDArray[np.float32]:
    """(size, d) unit rows of hashed term counts: enough to tell repeated units (Weinberger et al., 2009)."""
    cells = terms.rows * TERM_VECTOR_DIMENSION + terms.ids % TERM_VECTOR_DIMENSION
    counts = np.bincount(cells, minlength=size * TERM_VECTOR_DIMENSION).reshape(size, TERM_VECTOR_DIMENSION)
    lengths = np.linalg.norm(counts, axis=1, keepdims=True)
    vectors: NDArray[np.float32] = (counts / np.maximum(lengths, 1)).astype(np.float32)
    return vectors
