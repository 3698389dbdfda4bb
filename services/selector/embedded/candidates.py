"""Candidates: the passages of a view that are worth ranking, source by source."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scic import errors
from services.chassis.work import checkpoint
from services.selector.embedded.scoring import best, score_terms, vector_scores
from services.selector.embedded.segment import DOCUMENT_SHIFT
from services.selector.embedded.signals import entry_facet, key_facet, source_key
from services.selector.errors import UnknownFilterKeyError
from services.selector.query import Candidates, SourceOutcome
from services.selector.sketch import SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from services.selector.embedded.view import View
    from services.selector.query import Condition, Query, SourceQuery


class SourceFinds(NamedTuple):
    """What the search of one source gave."""

    candidates: Candidates
    keys: NDArray[np.int64]
    """Passage key of each candidate."""
    outcome: SourceOutcome


def find_candidates(view: View, query: Query, started: float, helper: Executor) -> list[SourceFinds]:
    """Search each source of the query; one whose time is over, counted from `started`, has no candidates.

    All sources share the scores, so that each is charged for them. Raises `UnknownFilterKeyError`.
    """
    eligible = _eligible(view, query.conditions)
    with vector_scores(view.snapshot, query.vector, helper) as cosine:
        bm25 = score_terms(view, query.terms)
    finds = []
    for source in query.sources:
        checkpoint()
        late = source.timeout is not None and perf_counter() - started > source.timeout
        rows = np.empty(0, np.intp) if late else _rows(view, source, query.depth, eligible, bm25, cosine)
        candidates, keys = _columns(view, source, rows, bm25, cosine)
        outcome = SourceOutcome(source.source, perf_counter() - started, errors.DEADLINE_EXCEEDED.name if late else "")
        finds.append(SourceFinds(candidates, keys, outcome))
    return finds


def _eligible(view: View, conditions: Sequence[Condition]) -> NDArray[np.bool_]:
    """Whether each row is there and meets all conditions, shape (rows,)."""
    eligible = view.rows
    for condition in conditions:
        if view.count and not np.any(view.rows & _marked(view, [key_facet(condition.key)])):
            raise UnknownFilterKeyError(condition.key)
        eligible = eligible & _marked(view, [entry_facet(condition.key, value) for value in set(condition.any_of)])
    return eligible


def _marked(view: View, facets: Sequence[int]) -> NDArray[np.bool_]:
    parts = [segment.marked(facets) for segment in view.snapshot.segments]
    return np.concatenate(parts) if parts else np.empty(0, np.bool_)


def _rows(
    view: View,
    source: SourceQuery,
    depth: int,
    eligible: NDArray[np.bool_],
    bm25: NDArray[np.float32],
    cosine: NDArray[np.float32],
) -> NDArray[np.intp]:
    """The best rows of a source, ascending."""
    depth = max(depth, source.limit)
    if source.everywhere:
        return np.sort(best(cosine, eligible, depth))
    members = eligible & (view.snapshot.sources == np.uint64(source_key(source.source)))
    return np.union1d(best(bm25, members & (bm25 > 0), depth), best(cosine, members, depth))


def _columns(
    view: View, source: SourceQuery, rows: NDArray[np.intp], bm25: NDArray[np.float32], cosine: NDArray[np.float32]
) -> tuple[Candidates, NDArray[np.int64]]:
    """The candidates at these rows, and their passage keys."""
    if not len(rows):
        none = np.empty(0, np.float32)
        hashes, sketches = np.empty(0, np.uint64), np.empty((0, SIZE), np.uint16)
        created = np.empty(0, np.float64)
        return Candidates(source, none, none, hashes, hashes, hashes, sketches, created), np.empty(0, np.int64)
    column = view.snapshot.column
    keys = column(lambda segment: segment.keys, rows)
    candidates = Candidates(
        query=source,
        bm25=bm25[rows],
        cosine=cosine[rows],
        passages=keys.astype(np.uint64),
        documents=(keys >> DOCUMENT_SHIFT).astype(np.uint64),
        fingerprints=column(lambda segment: segment.fingerprints, rows),
        sketches=column(lambda segment: segment.sketches, rows),
        created=column(lambda segment: segment.created, rows),
    )
    return candidates, keys
