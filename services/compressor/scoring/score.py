"""The query-aware score of every unit of a request, over all passages at once.

Two passes: signals of unit and passage give a first likelihood (softmax over the context); the bridge pass then lets
likely units point at others. Linear sums of z-scores, because rank fusion loses how far apart the signals are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.compressor.scoring.bridge import read_bridges
from services.compressor.scoring.features import read_signals
from services.compressor.scoring.weights import MODEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.compressor.context import Context
    from services.compressor.scoring.features import Question


def score_units(context: Context, question: Question, retrieval: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the score of each unit, in logits: only differences inside the context mean something.

    Args:
        context: n units of p passages.
        question: what is asked.
        retrieval: (p,) retrieval scores; used where no passage has vectors.
    """
    weights = MODEL.with_vectors if context.has_vectors and question.vector is not None else MODEL.without_vectors
    signals = read_signals(context, question, retrieval)
    hops = hop_gate(len(question.terms), signals.best_coverage, MODEL.gate)
    score = weights.first_look(signals.columns, hops)
    result: NDArray[np.float64] = score + hops * (read_bridges(context, question, likelihoods(score)) @ weights.bridges)
    return result


def hop_gate(term_count: int, best_coverage: float, gate: NDArray[np.float64]) -> float:
    """How much a question seems to need several passages, 0 to 1: it is long, and no passage holds all its words."""
    return float(1 / (1 + np.exp(-(gate @ (1.0, np.log1p(term_count), 1 - best_coverage)))))


def likelihoods(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax."""
    exponentials = np.exp(score - score.max())
    result: NDArray[np.float64] = exponentials / exponentials.sum()
    return result
