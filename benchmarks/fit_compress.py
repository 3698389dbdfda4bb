"""Fits the weights of compression: listwise softmax over the units of a context, in numpy.

python -m benchmarks.fit_compress SINGLE.jsonl[.gz] MULTI.jsonl[.gz]... [--cache FOLDER]

The first file holds questions that one passage answers, the others such that need several. Prints what `weights.py`
holds. Loss: minus the log of the likelihood that the softmax gives an item of evidence, mean over items (Cao et al.,
"Learning to Rank: From Pairwise Approach to Listwise Approach", 2007), and a ridge. The gate is a logistic regression
of the file's kind.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.qa import positives
from benchmarks.qa_prepared import read_prepared
from services.compressor.bridge import BRIDGES, read_bridges
from services.compressor.context import build_context
from services.compressor.features import FEATURES, read_question, read_signals
from services.compressor.prepared import Column
from services.compressor.scoring import likelihoods

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.qa_prepared import PreparedRecord
    from services.compressor.context import Context
    from services.compressor.features import Question

SINGLE_WEIGHT: Final = 7.0
"""What the file of single-passage questions counts against each of the others."""
RIDGE: Final = 0.01
STEPS: Final = 400
ROUNDS: Final = 3
"""The bridges depend on the likelihoods, which depend on the weights: fitted in turn."""


@dataclass(slots=True)
class Example:
    """A question's context, its signals and what must survive."""

    context: Context
    question: Question
    columns: NDArray[np.float64]
    best_coverage: float
    items: list[NDArray[np.intp]]
    """Unit indexes of each item of evidence."""
    weight: float
    several: bool
    hops: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "scic-benchmark")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    sets = [read_prepared(path, arguments.cache) for path in arguments.data]
    for with_vectors in (True, False):
        examples = [
            example
            for place, records in enumerate(sets)
            for prepared in records
            for example in _examples(prepared, several=place > 0, share=1 / len(records), with_vectors=with_vectors)
            if example.items
        ]
        gate = _fit_gate(examples)
        print("HOP_GATE", tuple(round(float(value), 2) for value in gate))
        _open_gates(examples, gate)
        _print("WITH_VECTORS" if with_vectors else "WITHOUT_VECTORS", _fit(examples))


def _examples(prepared: PreparedRecord, *, several: bool, share: float, with_vectors: bool) -> list[Example]:
    """One example, or, without vectors, two: once no passage was ranked, once by what a hybrid search would say."""
    context = build_context(prepared.signals, "cl100k_base")
    units = [[(int(row[Column.START]), int(row[Column.END])) for row in passage.table] for passage in prepared.signals]
    items = [
        np.array([context.firsts[document] + unit for document, unit in item], np.intp)
        for item in positives(prepared.record, units)
    ]
    question = read_question(prepared.record.question, prepared.question_vector)
    seen = read_signals(context, question, np.zeros(context.passage_count))
    weight = share * (1.0 if several else SINGLE_WEIGHT)
    if with_vectors:
        return [Example(context, question, seen.columns, seen.best_coverage, items, weight, several)]
    question = replace(question, vector=None)
    search = seen.columns[:, [FEATURES.index("bm25_passage"), FEATURES.index("cosine_passage")]].mean(axis=1)
    rankings = (np.zeros(context.passage_count), search[context.firsts])
    signals = [read_signals(context, question, ranking) for ranking in rankings]
    return [Example(context, question, s.columns, s.best_coverage, items, weight, several) for s in signals]


def _gate_inputs(example: Example) -> NDArray[np.float64]:
    return np.array([1.0, np.log1p(len(example.question.terms)), 1 - example.best_coverage])


def _fit_gate(examples: Sequence[Example]) -> NDArray[np.float64]:
    """Logistic regression by Newton's method."""
    inputs = np.array([_gate_inputs(example) for example in examples])
    several = np.array([example.several for example in examples], np.float64)
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-3 * np.eye(len(weights))
        weights += np.linalg.solve(curvature, inputs.T @ (several - chance) - 1e-3 * weights)
    return weights


def _open_gates(examples: Sequence[Example], gate: NDArray[np.float64]) -> None:
    for example in examples:
        example.hops = float(1 / (1 + np.exp(-_gate_inputs(example) @ gate)))


def _fit(examples: Sequence[Example]) -> NDArray[np.float64]:
    weights = _descend([example.columns for example in examples], examples)
    for _ in range(ROUNDS):
        base = weights[: len(FEATURES)]
        full = [
            np.hstack((e.columns, e.hops * read_bridges(e.context, e.question, likelihoods(e.columns @ base))))
            for e in examples
        ]
        weights = _descend(full, examples)
    return weights


def _descend(columns: Sequence[NDArray[np.float64]], examples: Sequence[Example]) -> NDArray[np.float64]:
    """Adam (Kingma & Ba, 2015) on all examples at once."""
    slope = _loss_slope(columns, examples)
    weights = np.zeros(columns[0].shape[1])
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        gradient = slope(weights) + RIDGE * weights
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        weights -= 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return weights


def _loss_slope(
    columns: Sequence[NDArray[np.float64]], examples: Sequence[Example]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    total = sum(example.weight for example in examples)

    def slope(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.zeros_like(weights)
        for signals, example in zip(columns, examples, strict=True):
            chance = likelihoods(signals @ weights)
            pull = chance.copy()
            for item in example.items:
                pull[item] -= chance[item] / (chance[item].sum() + 1e-12) / len(example.items)
            result += example.weight / total * (pull @ signals)
        return result

    return slope


def _print(name: str, weights: NDArray[np.float64]) -> None:
    print(name)
    for signal, value in zip((*FEATURES, *BRIDGES), weights.tolist(), strict=True):
        print(f"  {signal:16} {value:6.2f}")


if __name__ == "__main__":
    main()
