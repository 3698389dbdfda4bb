"""The bridge pass: what likely units point at becomes likelier.

Two hops: "Van Hook Township is in Mountrail County" answers half of a question, and names the passage, or the words,
that the other half is found by. This is pseudo-relevance feedback (Lavrenko & Croft, 2001) over names, not terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from services.compressor.context import Postings
from services.compressor.scoring.features import z_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.compressor.context import Context
    from services.compressor.scoring.features import Question

BRIDGES: Final = (
    "bridge_title",  # a likely unit of another passage names this passage
    "bridge_names",  # likely units of other passages share rare names with this unit that the question does not hold
)
SOURCE_COUNT: Final = 24
"""How many of the likeliest units may point."""


def read_bridges(context: Context, question: Question, likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, len(BRIDGES)) z-scores of how strongly likely units point at each unit; `likelihood` (n,) sums to 1."""
    sources = np.argsort(-likelihood, kind="stable")[:SOURCE_COUNT]
    foreign = context.owner[sources][:, None] != np.arange(context.passage_count)
    names = _of_rows(context.names, sources, context.size)
    # One vocabulary, so that the units' terms are looked up once: whatever titles hold, or a source names.
    vocabulary = np.unique(np.concatenate((context.titles.ids, names.ids)))
    asked = np.isin(vocabulary, question.terms, kind="sort")
    titles = context.titles.present(vocabulary, context.passage_count)
    units = context.terms.present(vocabulary, context.size)
    named = _named_titles(titles, units[sources], asked) & foreign
    title = (likelihood[sources, None] * named).max(axis=0)[context.owner]
    held = units | titles[context.owner]
    shared = (_shared_names(held, names.present(vocabulary, len(sources)) & ~asked) * foreign[:, context.owner].T) @ (
        likelihood[sources]
    )
    return z_scores(np.sqrt(np.column_stack((title, shared))))


def _of_rows(postings: Postings, rows: NDArray[np.intp], row_count: int) -> Postings:
    """The postings of the chosen rows only, numbered by their place in `rows`."""
    place = np.full(row_count, -1)
    place[rows] = np.arange(len(rows))
    places = place[postings.rows]
    chosen = places >= 0
    return Postings(postings.ids[chosen], places[chosen])


def _named_titles(titles: NDArray[np.bool_], sources: NDArray[np.bool_], asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(sources, p) whether a source holds every term of a title, and the question does not."""
    # Cast first: a product of booleans would not be BLAS's.
    held = sources.astype(np.float32) @ titles.T.astype(np.float32)
    named: NDArray[np.bool_] = held >= np.maximum(titles.sum(axis=1), 1)
    return named & (titles & ~asked).any(axis=1)


def _shared_names(held: NDArray[np.bool_], names: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n, sources) idf mass of the `names` (sources, terms) of a source that a unit, or its title, has among `held`."""
    presence = held.astype(np.float32)
    frequency = presence.sum(axis=0)
    idf = np.log1p((len(held) - frequency + 0.5) / (frequency + 0.5))
    mass: NDArray[np.float32] = presence @ (names * idf).T
    return mass
