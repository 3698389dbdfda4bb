"""Postings: for each key the rows that have it, as compressed sparse rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """Immutable. Key i has `rows[offsets[i]:offsets[i + 1]]`, each row once, in no order."""

    keys: NDArray[np.uint64]
    """Ascending, unique."""
    offsets: NDArray[np.int64]
    """Shape (keys + 1,)."""
    rows: NDArray[np.int32]
    weights: NDArray[np.uint16]
    """Shape of `rows`: how often the row has the key."""

    @classmethod
    def build(cls, keys: NDArray[np.uint64], rows: NDArray[np.int32], weights: NDArray[np.uint16]) -> Postings:
        """Group three columns of one length, in any order, by key."""
        # Many keys are equal, which a merge sort is faster with.
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        firsts = np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))
        return cls(ordered[firsts], np.append(firsts, len(keys)), rows[order], weights[order])

    def spans(self, wanted: NDArray[np.uint64]) -> list[tuple[int, int]]:
        """For each wanted key the range of its rows; empty where no row has it."""
        if not len(self.keys):
            return [(0, 0)] * len(wanted)
        at = np.searchsorted(self.keys, wanted)
        at[at == len(self.keys)] = 0
        known = self.keys[at] == wanted
        starts = np.where(known, self.offsets[at], 0)
        ends = np.where(known, self.offsets[at + 1], 0)
        return list(zip(starts.tolist(), ends.tolist(), strict=True))

    def select(self, renumbered: NDArray[np.int32]) -> Postings:
        """Keep the rows whose new number is 0 or more, under that number."""
        rows = renumbered[self.rows]
        kept = rows >= 0
        offsets = np.concatenate(([0], np.cumsum(kept)))[self.offsets]
        used = np.flatnonzero(np.diff(offsets))
        return Postings(self.keys[used], np.append(offsets[used], offsets[-1]), rows[kept], self.weights[kept])

    @classmethod
    def concatenate(cls, parts: Sequence[Postings], sizes: Sequence[int]) -> Postings:
        """Postings of row sets put one behind the other, `sizes` rows each. Linear: nothing is sorted but the keys."""
        keys = np.unique(np.concatenate([part.keys for part in parts]))
        at = [np.searchsorted(keys, part.keys) for part in parts]
        counts = np.zeros(len(keys), np.int64)
        for places, part in zip(at, parts, strict=True):
            counts[places] += np.diff(part.offsets)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        rows = np.empty(offsets[-1], np.int32)
        weights = np.empty(offsets[-1], np.uint16)
        cursor = offsets[:-1].copy()
        first_row = 0
        for places, part, size in zip(at, parts, sizes, strict=True):
            lengths = np.diff(part.offsets)
            targets = np.repeat(cursor[places] - part.offsets[:-1], lengths) + np.arange(len(part.rows))
            rows[targets] = part.rows + np.int32(first_row)
            weights[targets] = part.weights
            cursor[places] += lengths
            first_row += size
        return cls(keys, offsets, rows, weights)
