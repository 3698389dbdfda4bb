"""`python -m benchmarks.semantic`: whether the semantic tier joins questions that differ, and how many that are one."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.figures import percentile
from benchmarks.report import RESULTS, Figure, at_least, at_most, show, write
from services.gateway.cache.meaning import meaning_key
from services.gateway.cache.time_words import time_sensitive
from services.text.encoder import Encoder
from services.text.model import model_file

DATA = Path(__file__).parent / "data" / "semantic"
_ROUNDS = 20
_MICROSECONDS = 1e6


class Pair(NamedTuple):
    """Two questions."""

    kind: str
    """In what they differ, or what makes them look as if they did."""
    first: str
    second: str


def pairs(name: str) -> list[Pair]:
    """`same`: pairs that ask the same; `differ`: pairs that do not. One a line: kind, question, question, by tabs."""
    lines = (DATA / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [Pair(*line.split("\t")) for line in lines]


def joined(pair: Pair) -> bool:
    """Whether the semantic tier answers one of the two with the other's reply."""
    key = meaning_key(pair.first)
    return bool(key) and key == meaning_key(pair.second)


def main() -> int:
    """Measure, print, write; 1 where questions are joined that differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.semantic", description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS / "semantic.json", help="file for the figures")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "scic-benchmark", help="of the model"
    )
    parser.add_argument("--misses", action="store_true", help="also print what asks the same and is not joined")
    options = parser.parse_args()
    console = Console(width=120)
    same, differ = pairs("same"), pairs("differ")
    wrong = [pair for pair in differ if joined(pair)]
    for pair in wrong:
        console.print(f"wrong: {pair.kind}: {pair.first!r} and {pair.second!r}", markup=False, highlight=False)
    if options.misses:
        for pair in same:
            if not joined(pair):
                console.print(f"missed: {pair.kind}: {pair.first!r} and {pair.second!r}", markup=False, highlight=False)
    figures = [
        *_precision(differ, wrong),
        *_recall(same),
        *_thresholds(same, differ, Encoder.load(model_file(options.cache))),
        *_cost([question for pair in same + differ for question in pair[1:]]),
    ]
    write(options.output, figures)
    show("Semantic tier", figures, console)
    return 1 if wrong else 0


def _precision(differ: Sequence[Pair], wrong: Sequence[Pair]) -> list[Figure]:
    told = sum(bool(meaning_key(pair.first)) and bool(meaning_key(pair.second)) for pair in differ)
    return [
        Figure("pairs that differ", len(differ), "", at_least(300)),
        Figure("both have a key", told, ""),
        Figure("wrong joins", len(wrong), "", at_most(0)),
        *(Figure(f"wrong joins: {kind}", count, "") for kind, count in Counter(pair.kind for pair in wrong).items()),
    ]


def _recall(same: Sequence[Pair]) -> list[Figure]:
    by_kind: dict[str, list[Pair]] = {}
    for pair in same:
        by_kind.setdefault(pair.kind, []).append(pair)
    return [
        Figure("pairs that ask the same", len(same), "", at_least(150)),
        Figure("joined", _share(same), "%"),
        *(Figure(f"joined: {kind} ({len(of_kind)})", _share(of_kind), "%") for kind, of_kind in by_kind.items()),
    ]


def _share(same: Sequence[Pair]) -> float:
    return 100 * sum(map(joined, same)) / len(same)


def _thresholds(same: Sequence[Pair], differ: Sequence[Pair], encoder: Encoder) -> list[Figure]:
    """What a cache by likeness would do: all pairs above one cosine share a reply."""
    alike, unlike = _cosines(same, encoder), _cosines(differ, encoder)
    equal_recall = float(np.quantile(alike, 1 - _share(same) / 100))
    figures = [
        Figure("cosine: median of pairs that ask the same", float(median(alike)), ""),
        Figure("cosine: median of pairs that differ", float(median(unlike)), ""),
    ]
    for name, bound in [("same recall", equal_recall), ("0.9", 0.9), ("0.95", 0.95), ("0.99", 0.99)]:
        figures += [
            Figure(f"cosine >= {bound:.3f} ({name}): wrong joins", int((unlike >= bound).sum()), ""),
            Figure(f"cosine >= {bound:.3f} ({name}): joined", 100 * float((alike >= bound).mean()), "%"),
        ]
    highest = float(unlike.max())
    return [
        *figures,
        Figure("cosine without a wrong join: joined", 100 * float((alike > highest).mean()), "%"),
    ]


def _cosines(compared: Sequence[Pair], encoder: Encoder) -> NDArray[np.float64]:
    first = encoder.encode([pair.first for pair in compared])
    second = encoder.encode([pair.second for pair in compared])
    cosines: NDArray[np.float64] = np.einsum("ij,ij->i", first, second).astype(np.float64)
    return cosines


def _cost(questions: Sequence[str]) -> list[Figure]:
    keys = [_microseconds(meaning_key, question) for question in questions]
    times = [_microseconds(time_sensitive, question) for question in questions]
    return [
        Figure("time of a key: median", median(keys), "µs", at_most(50)),
        Figure("time of a key: p99", percentile(keys, 0.99), "µs"),
        Figure("time of the time words: median", median(times), "µs"),
    ]


def _microseconds(called: Callable[[str], object], question: str) -> float:
    """The fastest of a few calls: what the machine does beside only ever adds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        called(question)
        best = min(best, time.perf_counter() - start)
    return _MICROSECONDS * best


if __name__ == "__main__":
    sys.exit(main())
