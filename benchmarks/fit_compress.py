"""Fits the weights of compression and writes them, and how well they do.

python -m benchmarks.fit_compress SINGLE.jsonl[.gz] MULTI.jsonl[.gz]... [--cache FOLDER] [--date YYYY-MM-DD]

The first file holds questions that one passage answers, the others such that need several. Writes `weights.json` and
`weights.md` in `services/compressor/scoring`. In cross-validation, five-fold, each question is judged by weights that
were fitted without it; constants of the fill stay as they are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.compress import GOALS, RATIOS, set_name
from benchmarks.compress_folds import FOLDS, SINGLE_WEIGHT, fit, read_trials, shares_kept
from benchmarks.compress_listwise import RIDGE
from benchmarks.qa_prepared import read_prepared
from services.compressor.scoring.bridge import BRIDGES
from services.compressor.scoring.features import FEATURES, HOP_FEATURES
from services.compressor.scoring.weights import FORMAT, GATE, MODEL, WEIGHTS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from services.compressor.scoring.weights import Weights

_LICENCES: Final = {
    "nq20": "NaturalQuestions, CC BY-SA 3.0",
    "musique": "MuSiQue, CC BY 4.0",
    "hotpotqa": "HotpotQA, CC BY-SA 4.0",
    "2wiki": "2WikiMultihopQA, Apache-2.0",
}

Rows = list[tuple[str, str, dict[tuple[str, float], float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "scic-benchmark")
    parser.add_argument("--date", default=f"{datetime.now(UTC):%Y-%m-%d}")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    names = [set_name(path) for path in arguments.data]
    sets = [read_prepared(path, arguments.cache) for path in arguments.data]
    fitted, rows = {}, {}
    for with_vectors in (True, False):
        trials = [
            read_trials(records, several=place > 0, with_vectors=with_vectors) for place, records in enumerate(sets)
        ]
        model = fit(trials)
        folds = [fit(trials, but=fold) for fold in range(FOLDS)]
        fitted[with_vectors] = model
        rows[with_vectors] = [
            (name, how, shares_kept(some, models, RATIOS))
            for name, some in zip(names, trials, strict=True)
            for how, models in (("training", [model]), ("cross-validated", folds))
        ]
    gate, weights = fitted[True]
    sizes = {name: len(records) for name, records in zip(names, sets, strict=True)}
    # The gate is one for both: whether a question needs several passages does not depend on vectors.
    model_json = {
        "format": FORMAT,
        "version": arguments.date,
        "fitted_on": {name: {"questions": size, "source": _LICENCES.get(name, "")} for name, size in sizes.items()},
        "gate": _named(GATE, gate),
        "with_vectors": _weights(weights),
        "without_vectors": _weights(fitted[False][1]),
        "fill": asdict(MODEL.fill),
    }
    WEIGHTS_FILE.write_text(json.dumps(model_json, indent=2) + "\n", encoding="utf-8")
    command = f"python -m benchmarks.fit_compress {' '.join(path.name for path in arguments.data)}"
    WEIGHTS_FILE.with_suffix(".md").write_text(_report(arguments.date, command, sizes, rows), encoding="utf-8")


def _named(names: Iterable[str], values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(names, values, strict=True)}


def _weights(weights: Weights) -> dict[str, dict[str, float]]:
    return {
        "features": _named(FEATURES, weights.features),
        "hops": _named(HOP_FEATURES, weights.hops),
        "bridges": _named(BRIDGES, weights.bridges),
    }


def _report(date: str, command: str, sizes: dict[str, int], rows: dict[bool, Rows]) -> str:
    lines = [
        f"# Weights of {date}",
        "",
        f"Made by `{command}`; do not edit.",
        f"Listwise softmax, ridge {RIDGE:g}; the first set counts {SINGLE_WEIGHT:g} times as much as each other one.",
        f"Cross-validated: {FOLDS} folds, each question judged by weights fitted without it.",
        "",
        "| set | questions | source and licence |",
        "|---|---|---|",
        *(f"| {name} | {size} | {_LICENCES.get(name, 'not named')} |" for name, size in sizes.items()),
    ]
    for with_vectors, title in ((True, "Prepared passages"), (False, "Raw passages")):
        lines += [
            "",
            f"## {title}",
            "",
            "Share of questions, in percent, by share of the tokens; bold: has a goal.",
            "",
        ]
        lines += _table(rows[with_vectors])
    return "\n".join(lines) + "\n"


def _table(rows: Rows) -> Sequence[str]:
    lines = [
        f"| set | kept | judged | {' | '.join(f'{ratio:.0%}' for ratio in RATIOS)} |",
        "|---" * (3 + len(RATIOS)) + "|",
    ]
    for name, how, shares in rows:
        for measure, title in (("answer", "answer"), ("all", "all evidence")):
            cells = [_cell(shares.get((measure, ratio)), bold=(name, measure, ratio) in GOALS) for ratio in RATIOS]
            lines.append(f"| {name} | {title} | {how} | {' | '.join(cells)} |")
    return lines


def _cell(value: float | None, *, bold: bool) -> str:
    text = "" if value is None else f"{value:.1f}"
    return f"**{text}**" if bold else text


if __name__ == "__main__":
    main()
