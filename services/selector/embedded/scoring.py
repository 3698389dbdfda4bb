"""Scores of all passages of a snapshot, and the candidates they give.

BM25 as in Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the idf of Lucene,
which is never negative. The statistics are those of the tenant's live passages of all sources.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from services.selector.embedded.signals import facet_key, source_key
from services.selector.indexing import term_key
from services.selector.query import Candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.selector.embedded.postings import Postings
    from services.selector.embedded.snapshot import Snapshot
    from services.selector.query import Condition, Query

K1 = 1.5
B = 0.75


def find_candidates(snapshot: Snapshot, query: Query) -> tuple[list[Candidates], list[NDArray[np.intp]]]:
    """For each source of the query its candidates, and the snapshot's row of each of them."""
    bm25 = score_terms(snapshot, query.terms)
    cosine = score_vectors(snapshot, query.vector)
    eligible = snapshot.live_rows
    for condition in query.conditions:
        eligible = eligible & matches(snapshot, condition)
    found, rows = [], []
    for source in query.sources:
        members = np.flatnonzero(eligible & (snapshot.sources == np.uint64(source_key(source.source))))
        chosen = members[_best(bm25[members], cosine[members], max(query.depth, source.limit))]
        found.append(Candidates(source, bm25[chosen], cosine[chosen], snapshot.fingerprints[chosen]))
        rows.append(chosen)
    return found, rows


def score_terms(snapshot: Snapshot, terms: Sequence[str]) -> NDArray[np.float32]:
    """BM25 of each row, shape (rows,); rows that are not live have a score that means nothing."""
    scores = np.zeros(snapshot.starts[-1], np.float32)
    wanted = Counter(terms)
    if not wanted or not snapshot.live_count:
        return scores
    keys = np.array([term_key(term) for term in wanted], np.uint64)
    spans = [segment.terms.spans(keys) for segment in snapshot.segments]
    frequencies = np.zeros(len(keys))
    for segment, live, part in zip(snapshot.segments, snapshot.live, spans, strict=True):
        whole = snapshot.all_live or bool(live.all())
        rows = segment.terms.rows
        frequencies += np.array([end - start if whole else np.sum(live[rows[start:end]]) for start, end in part])
    counts = np.fromiter(wanted.values(), np.float64, len(wanted))
    idf = counts * np.log1p((snapshot.live_count - frequencies + 0.5) / (frequencies + 0.5))
    norms = K1 * (1 - B + B * snapshot.lengths / np.float32(snapshot.average_length or 1))
    for segment, part, first in zip(snapshot.segments, spans, snapshot.starts, strict=False):
        norm, score = norms[first : first + len(segment)], scores[first : first + len(segment)]
        for (start, end), weight in zip(part, idf.astype(np.float32), strict=True):
            if start < end:
                rows = segment.terms.rows[start:end]
                frequency = segment.terms.weights[start:end].astype(np.float32)
                # A row occurs once a term, so that this adds to each.
                score[rows] += weight * np.float32(K1 + 1) * frequency / (frequency + norm[rows])
    return scores


def score_vectors(snapshot: Snapshot, vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of each row, shape (rows,)."""
    scores = np.empty(snapshot.starts[-1], np.float32)
    for segment, first in zip(snapshot.segments, snapshot.starts, strict=False):
        # Not a matrix product: BLAS would start threads for it, which fight with those of other processes, and a row's
        # last bits would depend on its neighbours; so the same corpus gives the same scores in every process.
        np.vecdot(segment.vectors, vector, out=scores[first : first + len(segment)])
    return scores


def matches(snapshot: Snapshot, condition: Condition) -> NDArray[np.bool_]:
    """Whether the condition holds for each row, shape (rows,)."""
    result = np.zeros(snapshot.starts[-1], np.bool_)
    keys = np.array([facet_key(condition.key, value) for value in set(condition.any_of)], np.uint64)
    for segment, first in zip(snapshot.segments, snapshot.starts, strict=False):
        _mark(result[first : first + len(segment)], segment.facets, keys)
    return result


def _mark(marks: NDArray[np.bool_], facets: Postings, keys: NDArray[np.uint64]) -> None:
    for start, end in facets.spans(keys):
        marks[facets.rows[start:end]] = True


def _best(bm25: NDArray[np.float32], cosine: NDArray[np.float32], depth: int) -> NDArray[np.intp]:
    """Positions, ascending, of the `depth` best by BM25 that match at all and the `depth` best by cosine."""
    if len(bm25) <= depth:
        return np.arange(len(bm25))
    chosen = np.zeros(len(bm25), np.bool_)
    # Without the many zeros, which argpartition is twenty times slower with.
    matching = np.flatnonzero(bm25)
    chosen[matching[_top(bm25[matching], depth)]] = True
    chosen[_top(cosine, depth)] = True
    return np.flatnonzero(chosen)


def _top(scores: NDArray[np.float32], depth: int) -> NDArray[np.intp]:
    return np.arange(len(scores)) if len(scores) <= depth else np.argpartition(scores, -depth)[-depth:]
