"""Quality figures: how well they tell good contexts from bad ones, and what a measurement costs.

python -m benchmarks.quality [DATA]... [--cache FOLDER]

DATA as `benchmarks.compress` takes it; records without passages marked as gold are left out. Each record is measured
with six contexts: its gold passages; as many others of its own, which search would find too; the gold passages of
another record; its gold passages twice; those without the sentences that hold an answer; their sentences as shuffled
scraps. Cosines are those of all-MiniLM-L6-v2; "words alone" is the same without them, as for passages that come with a
request. AUC is the chance that a gold context has a better figure than one of the others.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console

from benchmarks import report
from benchmarks.compress import data_files, set_name
from benchmarks.qa import normal, read_records
from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.quality import measure
from services.text.encoder import EncodeInput, Encoder
from services.text.model import model_file
from services.text.sentences import split_sentences
from services.text.tokens import encoding_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.qa import Document, Record
    from scic.gateway.v1 import quality_pb2

RELEVANT = 0.7
"""What a context of gold passages should reach, as a rule."""
REDUNDANT = 0.3
"""What a context that says everything twice must exceed."""
GOAL_AUC = 0.95
GOAL_LOST = 0.01
GOAL_LESS_COHERENT = 95
GOAL_MICROSECONDS = 500
"""Processor time of one measurement of 20 passages of together 2,000 tokens."""
_PASSAGES, _TOKENS, _ROUNDS = 20, 2000, 200
_SCRAPS = 4
_OVERHEAD = 120
"""Tokens of a prompt beside its evidence."""


class _Passage(NamedTuple):
    title: str
    text: str
    cosine: float
    start: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """A record and the contexts that it is measured with."""

    question: str
    gold: Sequence[_Passage]
    near: Sequence[_Passage]
    """Others of the record."""
    other: Sequence[_Passage]
    """Gold of another record, with the cosines to this one's question."""
    without_answer: Sequence[_Passage] | None
    """None where no sentence holds the answer."""
    scraps: Sequence[_Passage] | None
    """None where there are too few sentences to shuffle."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "scic-benchmark")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    figures: list[report.Figure] = []
    for path in data_files(arguments.data):
        records = [record for record in read_records(path) if any(document.gold for document in record.documents)]
        cases = read_cases(path, records, arguments.cache)
        for words_alone in (False, True):
            figures += figures_of(set_name(path) + (", words alone" if words_alone else ""), cases, words_alone)
        figures.append(cost(set_name(path), records))
    report.write(report.RESULTS / "quality.json", figures)
    report.show("Quality figures", figures, Console(width=120))


def read_cases(path: Path, records: Sequence[Record], cache: Path) -> list[Case]:
    """The contexts of each record; what is drawn at random is the same in every run."""
    rng = Random(0)
    drawn = [rng.choice([other for other in records if other is not record]) for record in records]
    vectors = _Vectors(cache, path.name.split(".")[0])
    cases = []
    for record, other in zip(records, drawn, strict=True):
        gold = [document for document in record.documents if document.gold]
        near = [document for document in record.documents if not document.gold][: len(gold)]
        question = vectors.of(record.question)

        def passages(documents: Iterable[Document], to: np.ndarray = question) -> list[_Passage]:
            return [_Passage(d.title, d.text, float(vectors.of(d.text, d.title) @ to)) for d in documents]

        kept = passages(gold)
        without = [passage._replace(text=_without_answers(passage.text, record)) for passage in kept]
        scraps = [
            passage._replace(text=passage.text[start:end], start=start)
            for passage in kept
            for start, end in split_sentences(passage.text)
        ]
        rng.shuffle(scraps)
        cases.append(
            Case(
                question=record.question,
                gold=kept,
                near=passages(near),
                other=passages(document for document in other.documents if document.gold),
                without_answer=without if without != kept else None,
                scraps=scraps if len(scraps) >= _SCRAPS else None,
            )
        )
    vectors.save()
    return cases


def figures_of(name: str, cases: Sequence[Case], words_alone: bool) -> list[report.Figure]:
    """What the figures say of one set."""

    def measured(case: Case, context: Sequence[_Passage]) -> quality_pb2.Quality:
        evidence, tokens = _evidence(context, words_alone=words_alone)
        return measure(case.question, evidence, [], tokens)

    gold = [measured(case, case.gold) for case in cases]
    near = [measured(case, case.near) for case in cases]
    other = [measured(case, case.other) for case in cases]
    twice = [measured(case, [*case.gold, *case.gold]) for case in cases]
    paired = list(zip(cases, gold, strict=True))
    scraps = [(one, measured(case, case.scraps)) for case, one in paired if case.scraps]
    lost = [(one, measured(case, case.without_answer)) for case, one in paired if case.without_answer]
    figures = [
        report.Figure(
            "relevance of gold, median", median(one.relevance for one in gold), "", report.at_least(RELEVANT)
        ),
        report.Figure("gold that is relevant enough", _percent(one.relevance >= RELEVANT for one in gold), "%"),
        report.Figure("relevance of near passages, median", median(one.relevance for one in near), ""),
        report.Figure("relevance of others' gold, median", median(one.relevance for one in other), ""),
        report.Figure("others' gold that is relevant enough", _percent(o.relevance >= RELEVANT for o in other), "%"),
    ]
    for figure in ("completeness", "relevance"):
        for against, worse, goal in (("others' gold", other, report.at_least(GOAL_AUC)), ("near passages", near, None)):
            better = auc([getattr(one, figure) for one in gold], [getattr(one, figure) for one in worse])
            figures.append(report.Figure(f"AUC of {figure} against {against}", better, "", goal))
    figures += [
        report.Figure(
            "completeness lost with the answer, mean",
            mean(before.completeness - after.completeness for before, after in lost),
            "",
            report.at_least(GOAL_LOST),
        ),
        report.Figure("redundancy of gold, 95th percentile", quantiles([g.redundancy for g in gold], n=20)[18], ""),
        report.Figure(
            "gold twice that is redundant", _percent(t.redundancy > REDUNDANT for t in twice), "%", report.at_least(100)
        ),
        report.Figure("coherence of gold, median", median(one.coherence for one in gold), ""),
        report.Figure("coherence of scraps, median", median(one.coherence for _, one in scraps), ""),
        report.Figure(
            "scraps that are less coherent",
            _percent(after.coherence < before.coherence for before, after in scraps),
            "%",
            report.at_least(GOAL_LESS_COHERENT),
        ),
    ]
    return [report.Figure(f"{name}: {one.name}", one.value, one.unit, one.goal) for one in figures]


def cost(name: str, records: Sequence[Record]) -> report.Figure:
    """Processor time of a measurement: the fastest of a few rounds, so that neighbours count little."""
    encoding = encoding_for("cl100k_base")
    documents = [document for record in records for document in record.documents][:_PASSAGES]
    share = _TOKENS / sum(encoding.count(document.text) for document in documents)
    context = [_Passage(d.title, d.text[: int(share * len(d.text)) or 1], 0.4) for d in documents]
    evidence, tokens = _evidence(context, words_alone=False)
    spent = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        measure(records[0].question, evidence, [], tokens)
        spent.append(time.process_time() - begin)
    return report.Figure(
        f"{name}: CPU of {len(evidence)} passages, {tokens.total - _OVERHEAD:,} tokens",
        1e6 * quantiles(spent, n=20)[0],
        "µs",
        report.at_most(GOAL_MICROSECONDS),
    )


def auc(better: Sequence[float], worse: Sequence[float]) -> float:
    """The chance that one of `better` is above one of `worse`; equal ones count half (Mann and Whitney, 1947)."""
    difference = np.subtract.outer(better, worse)
    return float(np.mean(difference > 0) + np.mean(difference == 0) / 2)


class _Vectors:
    """Unit vectors of texts, made once and kept in a file."""

    def __init__(self, cache: Path, name: str) -> None:
        self._encoder = Encoder.load(model_file(cache))
        self._file = cache / f"{name}-quality-{self._encoder.model_id}.npz"
        self._known: dict[str, np.ndarray] = {}
        if self._file.exists():
            with np.load(self._file) as stored:
                self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def of(self, text: str, title: str | None = None) -> np.ndarray:
        """The vector of a question, or, with its title, of a passage. Shape (384,)."""
        key = hashlib.sha256(repr((title, text)).encode()).hexdigest()
        if key not in self._known:
            self._known[key] = (
                self._encoder.encode([text])[0]
                if title is None
                else self._encoder.encode_passages([EncodeInput(title, text, ())])[0].passage
            )
        return self._known[key]

    def save(self) -> None:
        """Keep what is known."""
        np.savez(self._file, keys=list(self._known), vectors=np.stack(list(self._known.values())))


def _evidence(context: Sequence[_Passage], *, words_alone: bool) -> tuple[list[pb.Evidence], pb.TokenUsage]:
    encoding = encoding_for("cl100k_base")
    evidence = []
    for passage in context:
        one = pb.Evidence(
            document_id=passage.title,
            source="docs",
            title_path=[passage.title],
            text=passage.text,
            token_count=encoding.count(passage.text),
            fate=pb.Evidence.FATE_WHOLE,
        )
        one.spans.add(start=passage.start, end=passage.start + len(passage.text))
        one.score.dense = 0.0 if words_alone else passage.cosine
        evidence.append(one)
    return evidence, pb.TokenUsage(total=sum(one.token_count for one in evidence) + _OVERHEAD)


def _without_answers(text: str, record: Record) -> str:
    answers = [normal(answer) for answer in record.answers]
    sentences = [text[start:end] for start, end in split_sentences(text)]
    return " ".join(s for s in sentences if not any(a and f" {a} " in f" {normal(s)} " for a in answers))


def _percent(held: Iterable[bool]) -> float:
    return 100 * mean(held)


if __name__ == "__main__":
    main()
