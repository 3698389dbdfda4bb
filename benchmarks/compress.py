"""Compression: what answers and evidence survive at 50, 25, 10 and 5 % of the tokens, and how long it takes.

python -m benchmarks.compress [DATA]... [--cache FOLDER] [--out FOLDER]

DATA are .jsonl or .jsonl.gz files, or folders of such; without it, those of SCIC_BENCH_COMPRESS_DATA, with ":" between
them. They hold one question a line: {"id", "question", "answers", "docs": [{"title", "text"}], ...} (see `qa.py`).
`--out` writes every context of ours as offsets, one file for each data file: {"id", "ratio", "spans": [{"doc", "start",
"end"}]}. A kept passage costs its header "[title]" and a line end. Times are of the processor; those of MiniLM hold the
encoding of all passages, which is at query time where nothing is prepared, as measured on a sample.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, quantiles
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.compress_methods import METHODS, read_case
from benchmarks.qa import Judge, render
from benchmarks.qa_prepared import encoding_seconds, read_prepared
from services.text.tokens import encoding_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.compress_methods import Case, Kept
    from services.text.tokens import Encoding

DATA_VARIABLE = "SCIC_BENCH_COMPRESS_DATA"
RATIOS = (0.5, 0.25, 0.1, 0.05)
GOALS = {
    ("nq20", "answer", 0.5): 99,
    ("nq20", "answer", 0.25): 97,
    ("nq20", "answer", 0.1): 91,
    ("nq20", "answer", 0.05): 82,
    ("musique", "all", 0.5): 74,
    ("hotpotqa", "all", 0.5): 90,
    ("hotpotqa", "all", 0.25): 74,
    ("2wiki", "all", 0.5): 76,
}
"""Shares in percent that the best known methods reach: set, measure, ratio."""
GOAL_MS = 2.5
"""CPU time of one compression of a prepared context of 2,900 tokens."""
_OURS = METHODS[-1].name
_SAMPLE = 10
"""Records whose encoding is timed."""


@dataclass(slots=True)
class Tally:
    """What one method kept of one set at one ratio."""

    answer: list[bool] = field(default_factory=list)
    evidence: list[bool] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    over: int = 0
    not_verbatim: int = 0
    out_of_order: int = 0
    breached_pins: int = 0
    milliseconds: list[float] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, int]:
        """What must not happen, counted."""
        return {
            "over budget": self.over,
            "not verbatim": self.not_verbatim,
            "out of order": self.out_of_order,
            "pins breached": self.breached_pins,
        }

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return quantiles(self.milliseconds, n=20)[9]

    @property
    def p95(self) -> float:
        """Milliseconds."""
        return quantiles(self.milliseconds, n=20)[18]


Tallies = dict[tuple[str, float], Tally]
"""By method and ratio."""


def set_name(path: Path) -> str:
    """The name of a data file's set."""
    return path.name.split(".")[0].removesuffix("-dev")


def data_files(named: Sequence[Path]) -> list[Path]:
    """The files named, or those of the environment; those in a folder by name.

    Raises:
        SystemExit: there are none.
    """
    places = named or [Path(place) for place in os.environ.get(DATA_VARIABLE, "").split(os.pathsep) if place]
    files = [file for place in places for file in (sorted(place.glob("*.jsonl*")) if place.is_dir() else [place])]
    if not files:
        raise SystemExit(
            f"No data: name files (or set {DATA_VARIABLE}) in the form that benchmarks/qa.py reads, made of "
            "NaturalQuestions, MuSiQue, HotpotQA or 2WikiMultihopQA, which their authors publish."
        )
    return files


def main() -> None:
    arguments = _arguments()
    encoding = encoding_for("cl100k_base")
    console = Console(width=120)
    figures: list[report.Figure] = []
    sizes: list[float] = []
    for path in data_files(arguments.data):
        records = read_prepared(path, arguments.cache)
        cases = [read_case(prepared, encoding) for prepared in records]
        sizes += [
            len(passage.prepared or b"") / signals.unit_count
            for case in cases
            for passage, signals in zip(case.request.passages, case.prepared.signals, strict=True)
            if signals.unit_count
        ]
        sample = cases[:_SAMPLE]
        seconds = encoding_seconds([case.prepared.record for case in sample], arguments.cache)
        tallies, contexts = _run(cases, encoding, seconds / sum(case.token_count for case in sample))
        name = set_name(path)
        console.print(_table(f"{name}: {len(cases)} questions", tallies))
        figures += _figures(name, tallies)
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            lines = "".join(json.dumps(context) + "\n" for context in contexts)
            (arguments.out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    figures.append(report.Figure("prepared bytes a unit", mean(sizes), "B", report.at_most(350)))
    report.write(report.RESULTS / "compress.json", figures)
    report.show(
        "Compression: goals", [figure for figure in figures if figure.goal and not _is_kept_zero(figure)], console
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "scic-benchmark")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    return arguments


def _run(
    cases: Sequence[Case], encoding: Encoding, encoding_seconds_a_token: float
) -> tuple[Tallies, list[dict[str, object]]]:
    tallies: Tallies = defaultdict(Tally)
    contexts: list[dict[str, object]] = []
    for case in cases:
        judge = Judge(case.prepared.record)
        for ratio in RATIOS:
            budget = int(ratio * case.token_count)
            for method in METHODS:
                begin = time.process_time()
                kept = method.keep(case, budget)
                spent = time.process_time() - begin
                spent += method.encodes * encoding_seconds_a_token * case.token_count
                _count(tallies[method.name, ratio], case, encoding, ratio, kept, judge, 1000 * spent)
                if method.name == _OURS:
                    spans = [
                        {"doc": index, "start": start, "end": end}
                        for index, parts in enumerate(kept.spans)
                        for start, end in parts
                    ]
                    contexts.append({"id": case.prepared.record.id, "ratio": ratio, "spans": spans})
    return tallies, contexts


def _count(
    tally: Tally, case: Case, encoding: Encoding, ratio: float, kept: Kept, judge: Judge, milliseconds: float
) -> None:
    tokens, budget = encoding.count(render(case.prepared.record, kept.spans)), ratio * case.token_count
    tally.over += tokens > budget
    tally.used.append(tokens / budget)
    tally.milliseconds.append(milliseconds)
    tally.not_verbatim += kept.not_verbatim
    tally.out_of_order += sum(
        not 0 <= last <= start < end <= len(document.text)
        for document, spans in zip(case.prepared.record.documents, kept.spans, strict=True)
        for last, (start, end) in zip((0, *(end for _, end in spans)), spans, strict=False)
    )
    tally.breached_pins += kept.breached_pins
    answer, evidence = judge.verdict(kept.spans)
    if answer is not None:
        tally.answer.append(answer)
    if evidence is not None:
        tally.evidence.append(evidence)


def _share(values: Sequence[bool]) -> float:
    return 100 * mean(values) if values else float("nan")


def _table(title: str, tallies: Tallies) -> Table:
    ratios = "/".join(f"{100 * ratio:g}" for ratio in RATIOS)
    table = Table(title=f"{title}, at {ratios} %", title_justify="left", box=None, pad_edge=False)
    table.add_column("method")
    for column in ("answer kept, %", "all evidence, %", "budget used, %", "faults", "CPU p50 · p95, ms"):
        table.add_column(column, justify="right")
    for method in METHODS:
        some = [tallies[method.name, ratio] for ratio in RATIOS]
        table.add_row(
            method.name,
            " ".join(f"{_share(tally.answer):5.1f}" for tally in some),
            " ".join(f"{_share(tally.evidence):5.1f}" for tally in some),
            " ".join(f"{100 * mean(tally.used):3.0f}" for tally in some),
            str(sum(sum(tally.faults.values()) for tally in some)),
            f"{max(tally.p50 for tally in some):.1f} · {max(tally.p95 for tally in some):.1f}",
        )
    return table


def _figures(name: str, tallies: Tallies) -> list[report.Figure]:
    figures = []
    for (method, ratio), tally in tallies.items():
        label = f"{name}, {ratio:.0%}, {method}"
        ours = method.startswith(_OURS)
        prepared = method == _OURS
        for measure, title, values in (
            ("answer", "answer recall", tally.answer),
            ("all", "all evidence", tally.evidence),
        ):
            bound = GOALS.get((name, measure, ratio)) if prepared else None
            if values:
                goal = None if bound is None else report.at_least(bound)
                figures.append(report.Figure(f"{label}: {title}", _share(values), "%", goal))
        figures += [
            report.Figure(f"{label}: {fault}", count, "cases", report.at_most(0) if ours else None)
            for fault, count in tally.faults.items()
        ]
        figures.append(report.Figure(f"{label}: budget used", 100 * mean(tally.used), "%"))
        goal = report.at_most(GOAL_MS) if prepared and name == "nq20" else None
        figures.append(report.Figure(f"{label}: CPU p50", tally.p50, "ms", goal))
        figures.append(report.Figure(f"{label}: CPU p95", tally.p95, "ms"))
    return figures


def _is_kept_zero(figure: report.Figure) -> bool:
    """Whether it counts what must not happen and did not: nothing to show."""
    return figure.unit == "cases" and bool(figure.holds)


if __name__ == "__main__":
    main()
