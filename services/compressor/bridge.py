"""The bridge pass: what likely units point at becomes likelier.

Two hops: "Van Hook Township is in Mountrail County" answers half of a question, and names the passage, or the words,
that the other half is found by. This is pseudo-relevance feedback (Lavrenko & Croft, 2001) over names, not terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from services.compressor.context import Postings
from services.compressor.features import z_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.compressor.context import Context
    from services.compressor.features import Question

BRIDGES: Final = (
    "bridge_title",  # a likely unit of another passage names this passage
    "bridge_names",  # likely units of other passages share rare names with this unit that the question does not hold
)
SOURCE_COUNT: Final = 24
"""How many of the likeliest units may point."""


def read_bridges(context: Context, question: Question, likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, len(BRIDGES)) z-scores of how strongly likely units point at each unit; `likelihood` (n,) sums to 1."""
    sources = np.argsort(-likelihood, kind="stable")[:SOURCE_COUNT]
    weight = likelihood[sources]
    row_of = np.full(context.size, -1)
    row_of[sources] = np.arange(len(sources))
    foreign = context.owner[sources][:, None] != np.arange(context.passage_count)
    titles = _named_titles(context, question, _rows(context.terms, row_of), foreign)
    names = _shared_names(context, question, _rows(context.names, row_of), len(sources))
    title = (weight[:, None] * titles).max(axis=0)[context.owner]
    shared = (names * foreign[:, context.owner].T) @ weight
    return z_scores(np.sqrt(np.column_stack((title, shared))))


def _rows(postings: Postings, row_of: NDArray[np.intp]) -> Postings:
    """The postings of chosen rows only, renumbered; -1 marks the others."""
    rows = row_of[postings.rows]
    chosen = rows >= 0
    return Postings(postings.ids[chosen], rows[chosen])


def _named_titles(
    context: Context, question: Question, sources: Postings, foreign: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(sources, p) whether a source holds every term of another passage's title, and the question does not."""
    terms = np.unique(context.titles.ids)
    titles = context.titles.counts(terms, context.passage_count) > 0
    held = (sources.counts(terms, len(foreign)) > 0).astype(np.float64)
    named = (held @ titles.T.astype(np.float64)) >= np.maximum(titles.sum(axis=1), 1)
    asked = np.isin(terms, question.terms)
    news = (titles & ~asked).any(axis=1)
    result: NDArray[np.bool_] = named & news & foreign
    return result


def _shared_names(context: Context, question: Question, sources: Postings, source_count: int) -> NDArray[np.float64]:
    """(n, sources) idf mass of the names of a source that title or unit hold, the question's own left out."""
    names = np.setdiff1d(sources.ids, question.terms)
    unit = context.terms.counts(names, context.size) > 0
    held = unit | (context.titles.counts(names, context.passage_count) > 0)[context.owner]
    frequency = held.sum(axis=0)
    idf = np.log1p((context.size - frequency + 0.5) / (frequency + 0.5))
    # Cast first: a product of booleans and floats would not be BLAS's.
    mass: NDArray[np.float64] = held.astype(np.float64) @ ((sources.counts(names, source_count) > 0) * idf).T
    return mass
