"""Listwise softmax over the units of a context, in numpy: how the weights of compression are fitted.

Loss: minus the log of the likelihood that the softmax gives an item of evidence, mean over items (Cao et al., "Learning
to Rank: From Pairwise Approach to Listwise Approach", 2007), and a ridge. The gate is a logistic regression of the
question's kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from services.compressor.scoring.bridge import read_bridges
from services.compressor.scoring.features import FEATURES, HOP_FEATURES
from services.compressor.scoring.score import hop_gate, likelihoods
from services.compressor.scoring.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.compressor.context import Context
    from services.compressor.scoring.features import Question, Signals

RIDGE: Final = 0.01
STEPS: Final = 400
ROUNDS: Final = 3
"""The bridges depend on the likelihoods, which depend on the weights: fitted in turn."""
_HOP_COLUMNS: Final = [FEATURES.index(name) for name in HOP_FEATURES]


@dataclass(frozen=True, slots=True)
class Example:
    """A question's context, its signals and what must survive."""

    context: Context
    question: Question
    signals: Signals
    items: Sequence[NDArray[np.intp]]
    """Unit indexes of each item of evidence, at least one item."""
    weight: float
    several: bool
    """Whether it needs several passages."""


def fit_gate(examples: Sequence[Example]) -> NDArray[np.float64]:
    """Logistic regression by Newton's method: one weight for each of `weights.GATE`."""
    inputs = np.array([[1.0, np.log1p(len(e.question.terms)), 1 - e.signals.best_coverage] for e in examples])
    several = np.array([example.several for example in examples], np.float64)
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-3 * np.eye(len(weights))
        weights += np.linalg.solve(curvature, inputs.T @ (several - chance) - 1e-3 * weights)
    return weights


def fit_weights(examples: Sequence[Example], gate: NDArray[np.float64]) -> Weights:
    """The weights of least loss."""
    hops = [hop_gate(len(e.question.terms), e.signals.best_coverage, gate) for e in examples]
    first = [
        np.hstack((e.signals.columns, hop * e.signals.columns[:, _HOP_COLUMNS]))
        for e, hop in zip(examples, hops, strict=True)
    ]
    values = _descend(first, examples)
    for _ in range(ROUNDS):
        full = [
            np.hstack(
                (columns, hop * read_bridges(e.context, e.question, likelihoods(columns @ values[: columns.shape[1]])))
            )
            for e, columns, hop in zip(examples, first, hops, strict=True)
        ]
        values = _descend(full, examples)
    features, changes, bridges = np.split(values, np.cumsum([len(FEATURES), len(HOP_FEATURES)]))
    return Weights(features, changes, bridges)


def _descend(columns: Sequence[NDArray[np.float64]], examples: Sequence[Example]) -> NDArray[np.float64]:
    """Adam (Kingma & Ba, 2015) on all examples at once, their units one behind the other."""
    stacked = np.concatenate(columns)
    sizes = [len(rows) for rows in columns]
    firsts = (np.cumsum(sizes) - sizes).astype(np.intp)
    owner = np.repeat(np.arange(len(columns)), sizes)
    share = np.array([example.weight for example in examples])
    share /= share.sum()
    items = [first + item for first, example in zip(firsts, examples, strict=True) for item in example.items]
    units, item = np.concatenate(items), np.repeat(np.arange(len(items)), [len(part) for part in items])
    item_share = np.concatenate(
        [np.full(len(example.items), part / len(example.items)) for example, part in zip(examples, share, strict=True)]
    )
    weights = np.zeros(stacked.shape[1])
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        score = stacked @ weights
        exponentials = np.exp(score - np.maximum.reduceat(score, firsts)[owner])
        chance = exponentials / np.add.reduceat(exponentials, firsts)[owner]
        held = np.bincount(item, chance[units], len(items)) + 1e-12
        pull = chance * share[owner]
        pull -= np.bincount(units, chance[units] / held[item] * item_share[item], len(pull))
        gradient = pull @ stacked + RIDGE * weights
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        weights -= 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return weights
