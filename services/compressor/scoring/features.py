"""What speaks for a unit: one column a signal, each z-scored inside the context.

BM25: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. The title stands in front of
every unit, the largest single gain of all: a sentence says "it", the title says what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from services.compressor.prepare import term_ids
from services.compressor.scoring.cues import Ask, Cue, asks
from services.text.terms import analyse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.compressor.context import Context

FEATURES: Final = (
    "bm25",  # of title and unit, over the units
    "bm25_passage",  # of the whole passage, over the passages
    "coverage",  # share of the question's idf mass that title and unit hold
    "cosine",  # unit and question, less `_COMMON` of the context's mean
    "cosine_passage",  # mean of the passage's units and question, less the context's; or the retrieval score
    "cosine_best",  # best unit of the passage
    "time",  # asked for a time: a year, a month
    "count",  # asked for a number: a number
    "person",  # asked for a person: names that the question does not hold
    "location",  # asked for a place: a name behind a preposition of place
    "thing",  # asked "what" or "which": names that the question does not hold
    "names",  # names that the question does not hold
    "lead",  # nearness to the passage's beginning
    "title",  # share of the title that the question holds
    "length",  # logarithm of the tokens, up to 20
    "cosine_passage_high",  # square of what "cosine_passage" is above the mean
    "time_passage",  # "time" times "cosine_passage"
    "count_passage",  # "count" times "cosine_passage"
)
HOP_FEATURES: Final = ("cosine", "cosine_passage", "cosine_best")
"""Those that count less the more a question looks like one that needs several passages: it is like one of them only."""
_COMMON: Final = 0.75
"""All units of a context are about its subject, and so is the question: what tells them apart is the rest. Of passages
the whole mean is taken, of units three quarters did as well and kept better at a quarter of the tokens."""
_PASSAGE, _TIME, _COUNT = (FEATURES.index(name) for name in ("cosine_passage", "time", "count"))
_K1: Final = 1.5
_B: Final = 0.75
_LONG: Final = 3.0
_FLAT: Final = 1e-9
"""A deviation below it is rounding."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the scorer sees it."""

    terms: NDArray[np.uint32]
    """Distinct term ids, sorted."""
    asks: Ask
    vector: NDArray[np.float32] | None
    """Unit length; None where no encoder ran."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The first look at a context."""

    columns: NDArray[np.float64]
    """(n, len(FEATURES)) z-scores."""
    best_coverage: float
    """Share of the question's idf mass that the best passage holds, 0 to 1."""


def read_question(text: str, vector: NDArray[np.float32] | None) -> Question:
    """The question's terms and what it asks for."""
    return Question(np.unique(term_ids(analyse(text))), asks(text), vector)


def z_scores(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column with mean 0 and deviation 1 over the context; a column that does not vary says nothing: 0."""
    centred = columns - columns.mean(axis=0)
    deviation = centred.std(axis=0)
    scaled: NDArray[np.float64] = centred / np.where(deviation > _FLAT, deviation, np.inf)
    return scaled


def read_signals(context: Context, question: Question, retrieval: NDArray[np.float64]) -> Signals:
    """The signals of every unit.

    Args:
        context: n units of p passages.
        question: what is asked.
        retrieval: (p,) retrieval scores, used where no passage has vectors.
    """
    owner, firsts = context.owner, context.firsts
    in_title = context.titles.counts(question.terms, context.passage_count)
    in_unit = context.terms.counts(question.terms, context.size)
    title_lengths = np.bincount(context.titles.rows, minlength=context.passage_count)
    lengths = np.bincount(context.terms.rows, minlength=context.size)

    titled = in_unit + in_title[owner]
    idf = _idf(titled)
    whole = np.add.reduceat(in_unit, firsts) + in_title
    whole_idf = _idf(whole)
    covered = (whole > 0).astype(np.float64) @ whole_idf

    new_names = np.log1p(
        np.bincount(context.names.rows, minlength=context.size)
        - context.names.counts(question.terms, context.size).sum(axis=1)
    )
    cosine, cosine_passage, cosine_best = _cosines(context, question, retrieval)
    columns = (
        _bm25(titled, lengths + title_lengths[owner], idf),
        _bm25(whole, np.add.reduceat(lengths, firsts) + title_lengths, whole_idf)[owner],
        (titled > 0).astype(np.float64) @ idf,
        cosine,
        cosine_passage,
        cosine_best,
        context.has(Cue.YEAR) + context.has(Cue.DATE) if Ask.TIME in question.asks else 0,
        context.has(Cue.NUMBER) if Ask.COUNT in question.asks else 0,
        new_names if Ask.PERSON in question.asks else 0,
        context.has(Cue.PLACE) if Ask.LOCATION in question.asks else 0,
        new_names if Ask.THING in question.asks else 0,
        new_names,
        1 / (1 + context.position),
        (in_title.sum(axis=1) / np.maximum(title_lengths, 1))[owner],
        np.minimum(np.log1p(context.tokens), _LONG),
    )
    signals = np.empty((context.size, len(FEATURES)))
    for index, column in enumerate(columns):
        signals[:, index] = column
    simple, joint = signals[:, : len(columns)], signals[:, len(columns) :]
    simple[:] = z_scores(simple)
    passage = simple[:, _PASSAGE]
    joint[:, 0] = np.maximum(passage, 0) ** 2
    joint[:, 1] = simple[:, _TIME] * passage
    joint[:, 2] = simple[:, _COUNT] * passage
    joint[:] = z_scores(joint)
    mass = float(whole_idf.sum())
    return Signals(signals, float(covered.max()) / mass if mass else 0.0)


def _idf(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    frequency = (counts > 0).sum(axis=0)
    inverse: NDArray[np.float64] = np.log1p((len(counts) - frequency + 0.5) / (frequency + 0.5))
    return inverse


def _bm25(counts: NDArray[np.float64], lengths: NDArray[np.intp], idf: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = _K1 * (1 - _B + _B * lengths / max(float(lengths.mean()), 1.0))
    score: NDArray[np.float64] = (counts * (_K1 + 1) / (counts + norm[:, None])) @ idf
    return score


def _cosines(
    context: Context, question: Question, retrieval: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of unit, passage and best unit; rows without a vector get the mean of the others: a z-score of nearly 0."""
    vectors, owner, firsts = context.vectors, context.owner, context.firsts
    zeros = np.zeros(context.size)
    if not context.has_vectors or question.vector is None or len(question.vector) != vectors.shape[1]:
        return zeros, retrieval[owner], zeros
    # A product with the membership matrix sums the rows of each passage, three times faster than `reduceat` on rows.
    membership = (np.arange(context.passage_count)[:, None] == owner).astype(np.float32)
    sums = membership @ vectors
    counts = np.diff(firsts, append=context.size)
    known = (sums * sums).sum(axis=1) > 0
    if not known.any():
        return zeros, retrieval[owner], zeros
    mean = sums.sum(axis=0) / np.float32(counts[known].sum())
    common = np.float32(_COMMON) * mean
    asked = question.vector - common
    # Of unit rows: |u - m|^2 = 1 - 2 u m + m^2.
    along, shared = (vectors @ np.stack((asked, common), axis=1)).astype(np.float64).T
    unit = (along - float(common @ asked)) / np.sqrt(np.maximum(1 - 2 * shared + float(common @ common), _FLAT))
    sums -= counts[:, None].astype(np.float32) * mean
    passage = (sums @ (question.vector - mean)).astype(np.float64) / np.maximum(np.linalg.norm(sums, axis=1), _FLAT)
    best = np.maximum.reduceat(unit, firsts)
    if known.all():
        return unit, passage[owner], best[owner]
    known_units = known[owner]
    unit[~known_units] = unit[known_units].mean()
    passage[~known] = passage[known].mean()
    best[~known] = best[known].mean()
    return unit, passage[owner], best[owner]
