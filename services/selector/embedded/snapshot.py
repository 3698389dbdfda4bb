"""Snapshot: one state of a tenant's corpus, ready to be searched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from services.selector.embedded.segment import DOCUMENT_SHIFT, NEVER, Segment
from services.selector.embedded.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)

MAX_SEGMENT = 1 << 15
"""Passages of a merged segment, at most: it bounds the longest pause a merge makes (0.2 s)."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Immutable; a change makes another one that shares what did not change. A row is a passage's position in all
    segments, one behind the other.
    """

    version: int
    """The corpus version whose state this is."""
    last_number: int
    """The highest document number read."""
    segments: tuple[Segment, ...] = ()
    live: tuple[NDArray[np.bool_], ...] = ()
    """For each segment, which of its passages are still there."""

    @cached_property
    def starts(self) -> list[int]:
        """First row of each segment, and the number of rows."""
        return [0, *np.cumsum([len(segment) for segment in self.segments], dtype=np.int64).tolist()]

    @cached_property
    def sources(self) -> NDArray[np.uint64]:
        """Source key of each row."""
        return _joined([segment.sources for segment in self.segments], np.uint64)

    @cached_property
    def lengths(self) -> NDArray[np.float32]:
        """Terms of each row."""
        return _joined([segment.lengths for segment in self.segments], np.float32)

    @cached_property
    def everything(self) -> View:
        """What a caller sees who sees all, as long as nothing has expired."""
        return View(self, self.live)

    @cached_property
    def first_expiry(self) -> int:
        """When the first passage expires, in microseconds since the epoch."""
        return min((int(segment.expires.min()) for segment in self.segments if len(segment)), default=NEVER)

    def column(self, of: Callable[[Segment], NDArray[_Scalar]], rows: NDArray[np.intp]) -> NDArray[_Scalar]:
        """Entries of a segment's column for some rows, in ascending order; at least one segment must be there."""
        ends = np.searchsorted(rows, self.starts)
        parts = [
            of(segment)[rows[begin:end] - first]
            for segment, first, begin, end in zip(self.segments, self.starts, ends[:-1], ends[1:], strict=False)
        ]
        return np.concatenate(parts)

    def without(self, removed: NDArray[np.int64], version: int) -> Snapshot:
        """Return the state of that version: without the documents of these numbers."""
        parts = [
            (segment, _without(segment, live, removed)) for segment, live in zip(self.segments, self.live, strict=True)
        ]
        return _snapshot(version, self.last_number, parts)

    def extended(self, segment: Segment, last_number: int) -> Snapshot:
        """Return the state with newer documents."""
        parts = [*zip(self.segments, self.live, strict=True), (segment, np.ones(len(segment), np.bool_))]
        return _snapshot(self.version, last_number, parts)


def _snapshot(version: int, last_number: int, parts: list[tuple[Segment, NDArray[np.bool_]]]) -> Snapshot:
    merged = _merged(parts)
    return Snapshot(version, last_number, tuple(part for part, _ in merged), tuple(live for _, live in merged))


def _without(segment: Segment, live: NDArray[np.bool_], removed: NDArray[np.int64]) -> NDArray[np.bool_]:
    firsts = np.searchsorted(segment.keys, removed << DOCUMENT_SHIFT)
    lasts = np.searchsorted(segment.keys, (removed + 1) << DOCUMENT_SHIFT)
    hit = lasts > firsts
    if not hit.any():
        return live
    left = live.copy()
    for first, last in zip(firsts[hit].tolist(), lasts[hit].tolist(), strict=True):
        left[first:last] = False
    return left


def _merged(parts: list[tuple[Segment, NDArray[np.bool_]]]) -> list[tuple[Segment, NDArray[np.bool_]]]:
    """Merge what is small into its neighbour, so that segments stay few and each passage is copied a few times only."""
    result: list[tuple[Segment, NDArray[np.bool_]]] = []
    for part in parts:
        group = [part]
        size = int(np.count_nonzero(part[1]))
        if not size:
            continue
        # Sizes fall by half at least from one segment to the next, unless the two together would be too large.
        while result and (before := int(np.count_nonzero(result[-1][1]))) < 2 * size and before + size <= MAX_SEGMENT:
            group.insert(0, result.pop())
            size += before
        # Alone and mostly alive: it stays as it is.
        if len(group) == 1 and 2 * size >= len(part[0]):
            result.append(part)
        else:
            result.append((Segment.merge(group), np.ones(size, np.bool_)))
    return result


def _joined(columns: Sequence[NDArray[_Scalar]], dtype: type[_Scalar]) -> NDArray[_Scalar]:
    return np.concatenate(columns) if columns else np.empty(0, dtype)
