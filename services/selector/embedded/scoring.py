"""Scores of all passages of a snapshot.

BM25 as in Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the idf of Lucene,
which is never negative. The statistics are those of all passages that the caller may see, of all sources.
"""

from __future__ import annotations

from collections import Counter, deque
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING

import numpy as np

from services.chassis.work import checkpoint
from services.selector.indexing import BM25_B, BM25_K1, term_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from services.selector.embedded.snapshot import Snapshot
    from services.selector.embedded.view import View

_BLOCK = 4096
"""Rows that a thread scores before it looks for more."""
_SHARED = 1 << 14
"""Rows up to which a second thread costs more than it brings."""
_SAMPLE = 16
"""One row in so many tells which scores are worth sorting."""


def score_terms(view: View, terms: Sequence[str]) -> NDArray[np.float32]:
    """BM25 of each row, shape (rows,); rows that are not there have a score that means nothing."""
    snapshot = view.snapshot
    scores = np.zeros(snapshot.starts[-1], np.float32)
    wanted = Counter(terms)
    if not wanted or not view.count:
        return scores
    keys = np.array([term_key(term) for term in wanted], np.uint64)
    spans = [segment.terms.spans(keys) for segment in snapshot.segments]
    frequencies = np.zeros(len(keys))
    for segment, visible, whole, part in zip(snapshot.segments, view.visible, view.whole, spans, strict=True):
        rows = segment.terms.rows
        frequencies += np.array(
            [end - start if whole else np.count_nonzero(visible[rows[start:end]]) for start, end in part]
        )
    counts = np.fromiter(wanted.values(), np.float64, len(wanted))
    idf = counts * np.log1p((view.count - frequencies + 0.5) / (frequencies + 0.5))
    norms = view.relative_lengths * np.float32(BM25_K1 * BM25_B) + np.float32(BM25_K1 * (1 - BM25_B))
    for segment, part, first in zip(snapshot.segments, spans, snapshot.starts, strict=False):
        norm, score = norms[first : first + len(segment)], scores[first : first + len(segment)]
        for (start, end), weight in zip(part, idf.astype(np.float32), strict=True):
            checkpoint()
            if start < end:
                rows = segment.terms.rows[start:end]
                frequency = segment.terms.weights[start:end].astype(np.float32)
                # A row occurs once a term, so that this adds to each.
                score[rows] += weight * np.float32(BM25_K1 + 1) * frequency / (frequency + norm[rows])
    return scores


@contextmanager
def vector_scores(snapshot: Snapshot, vector: NDArray[np.float32], helper: Executor) -> Iterator[NDArray[np.float32]]:
    """Cosine of each row, shape (rows,), known when the context ends.

    In a large snapshot the helper begins at once, while the caller scores terms; then they share what is left.
    """
    scores = np.empty(snapshot.starts[-1], np.float32)
    blocks = deque(
        (segment.vectors[begin : begin + _BLOCK], scores[first + begin : first + min(begin + _BLOCK, len(segment))])
        for segment, first in zip(snapshot.segments, snapshot.starts, strict=False)
        for begin in range(0, len(segment), _BLOCK)
    )

    def work() -> None:
        with suppress(IndexError):
            while True:
                checkpoint()
                vectors, out = blocks.popleft()
                # Not a matrix product: BLAS would start threads for it, which fight with those of other processes, and
                # a row's last bits would depend on its neighbours; so a corpus has the same scores in every process.
                np.vecdot(vectors, vector, out=out)

    # The helper, too, stops where the caller has left.
    helping = helper.submit(copy_context().run, work) if len(scores) > _SHARED else None
    try:
        yield scores
        work()
    finally:
        # One that has not begun has nothing left to do.
        if helping is not None and not helping.cancel():
            helping.result()


def best(scores: NDArray[np.float32], among: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """The `count` best rows, in no order; of equals the first."""
    # What is worse than some of a sample is left out before anything is sorted.
    sample = scores[::_SAMPLE][among[::_SAMPLE]]
    wanted = 2 * count // _SAMPLE + 8
    rows = np.empty(0, np.intp)
    if wanted < len(sample):
        rows = np.flatnonzero(among & (scores >= np.partition(sample, -wanted)[-wanted]))
    if len(rows) < count:
        rows = np.flatnonzero(among)
    if len(rows) <= count:
        return rows
    left = scores[rows]
    last = np.partition(left, -count)[-count]
    above = rows[left > last]
    return np.concatenate((above, rows[left == last][: count - len(above)]))
