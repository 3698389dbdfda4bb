"""The query-aware score of every unit of a request, over all passages at once.

Two passes: signals of unit and passage give a first likelihood (softmax over the context); the bridge pass then lets
likely units point at others. Linear sums of z-scores, because rank fusion loses how far apart the signals are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.compressor.bridge import read_bridges
from services.compressor.features import read_signals
from services.compressor.weights import HOP_GATE, WITH_VECTORS, WITHOUT_VECTORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.compressor.context import Context
    from services.compressor.features import Question


def score_units(context: Context, question: Question, retrieval: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the score of each unit, in logits: only differences inside the context mean something.

    Args:
        context: n units of p passages.
        question: what is asked.
        retrieval: (p,) retrieval scores; used where no passage has vectors.
    """
    weights = WITH_VECTORS if context.has_vectors and question.vector is not None else WITHOUT_VECTORS
    signals = read_signals(context, question, retrieval)
    hops = hop_gate(len(question.terms), signals.best_coverage)
    score = signals.columns @ np.array(weights.features)
    bridges = read_bridges(context, question, likelihoods(score))
    result: NDArray[np.float64] = score + hops * (bridges @ np.array(weights.bridges))
    return result


def hop_gate(term_count: int, best_coverage: float) -> float:
    """How much a question seems to need several passages, 0 to 1: it is long, and no passage holds all its words."""
    constant, length, lack = HOP_GATE
    return float(1 / (1 + np.exp(-(constant + length * np.log1p(term_count) + lack * (1 - best_coverage)))))


def likelihoods(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax."""
    exponentials = np.exp(score - score.max())
    result: NDArray[np.float64] = exponentials / exponentials.sum()
    return result
