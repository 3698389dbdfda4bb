"""Methods of compression side by side: ours, and the simple ones that the field uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.qa import render, whole
from benchmarks.qa_prepared import prompt_title
from services.compressor.compress import compress
from services.compressor.context import build_context
from services.compressor.head_cut import head_cut
from services.compressor.passage import CompressInput, Passage
from services.compressor.pins.find import find_pins
from services.compressor.prepared import pack
from services.compressor.scoring.features import FEATURES, read_question, read_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from benchmarks.qa import Span
    from benchmarks.qa_prepared import PreparedRecord
    from services.compressor.context import Context
    from services.compressor.passage import CompressOutput
    from services.compressor.pins.pin import Pin
    from services.text.tokens import Encoding


@dataclass(frozen=True, slots=True)
class Case:
    """A record, ready to be compressed by any method."""

    prepared: PreparedRecord
    request: CompressInput
    token_count: int
    """Of the whole context."""
    context: Context


@dataclass(frozen=True, slots=True)
class Kept:
    """What a method keeps of a case."""

    spans: list[tuple[Span, ...]]
    """One tuple for each document."""
    not_verbatim: int = 0
    """Spans that are not in the text that is shown, in their order."""
    breached_pins: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """How to compress."""

    name: str
    keep: Callable[[Case, int], Kept]
    """Of a case and a budget in tokens."""
    encodes: bool = False
    """Whether it runs the encoder over all passages at query time; `keep` itself reads stored vectors."""


def read_case(prepared: PreparedRecord, encoding: Encoding) -> Case:
    """The case of a record."""
    passages = tuple(
        Passage(str(index), prompt_title(document), document.text, "docs", pack(signals))
        for index, (document, signals) in enumerate(zip(prepared.record.documents, prepared.signals, strict=True))
    )
    request = CompressInput(prepared.record.question, prepared.question_vector, passages, 0, encoding, 0)
    return Case(
        prepared, request, encoding.count(whole(prepared.record)), build_context(prepared.signals, encoding.name)
    )


def _of_output(case: Case, output: CompressOutput) -> Kept:
    return Kept(
        [passage.spans for passage in output.passages],
        sum(
            _missing(passage.text, (source.text[start:end] for start, end in passage.spans))
            for source, passage in zip(case.request.passages, output.passages, strict=True)
        ),
        sum(
            _is_maimed(source.text, pin, passage.spans)
            for source, passage in zip(case.request.passages, output.passages, strict=True)
            if passage.spans
            for pin in find_pins(source.text)
        ),
    )


def _is_maimed(text: str, pin: Pin, spans: Sequence[Span]) -> bool:
    """Whether some characters of a pin are kept and others, white space apart, are not."""
    inside = [any(start <= at < end for start, end in spans) for at in range(pin.start, pin.end)]
    left_out = (text[pin.start + at] for at, kept in enumerate(inside) if not kept)
    return any(inside) and any(not character.isspace() for character in left_out)


def _missing(shown: str, parts: Iterable[str]) -> int:
    """How many of the parts do not stand in `shown`, each behind the one before."""
    missing = at = 0
    for part in parts:
        found = shown.find(part, at)
        missing += found < 0
        at = max(at, found + len(part))
    return missing


def _ours(case: Case, budget: int) -> Kept:
    return _of_output(case, compress(replace(case.request, max_tokens=budget)))


def _raw(case: Case, budget: int) -> Kept:
    passages = tuple(replace(passage, prepared=None) for passage in case.request.passages)
    return _of_output(case, compress(replace(case.request, max_tokens=budget, passages=passages)))


def _head(case: Case, budget: int) -> Kept:
    return _of_output(case, head_cut(replace(case.request, max_tokens=budget)))


def _best_sentences(case: Case, budget: int, values: NDArray[np.float64]) -> Kept:
    """Best first while it fits, title paid once; none of our weights, costs or penalties."""
    context, left = case.context, budget
    titles = [signals.title_tokens[0] for signals in case.prepared.signals]
    chosen: list[tuple[int, Span]] = []
    opened: set[int] = set()
    for unit in np.argsort(-values, kind="stable").tolist():
        owner = int(context.owner[unit])
        cost = int(context.tokens[unit]) + (0 if owner in opened else titles[owner])
        if cost <= left:
            left -= cost
            opened.add(owner)
            chosen.append((owner, (int(context.starts[unit]), int(context.ends[unit]))))
    # Stored counts add up to a token more or less than the text has.
    while case.request.encoding.count(render(case.prepared.record, kept := _by_document(case, chosen))) > budget:
        chosen.pop()
    return Kept(kept)


def _by_document(case: Case, chosen: Iterable[tuple[int, Span]]) -> list[tuple[Span, ...]]:
    spans: list[list[Span]] = [[] for _ in case.prepared.signals]
    for owner, span in chosen:
        spans[owner].append(span)
    return [tuple(sorted(some)) for some in spans]


def _best_passages(case: Case, budget: int, values: NDArray[np.float64]) -> Kept:
    """Whole passages, best first; the first one that does not fit is cut behind a sentence."""
    context = case.context
    spans: list[tuple[Span, ...]] = [() for _ in case.prepared.signals]
    bounds = [*context.firsts.tolist(), context.size]
    for index in np.argsort(-values, kind="stable").tolist():
        signals = case.prepared.signals[index]
        cost = signals.title_tokens[0] + signals.text_tokens[0]
        if cost <= budget:
            budget -= cost
            spans[index] = ((0, signals.text_length),)
            continue
        costs = signals.title_tokens[0] + np.cumsum(context.tokens[bounds[index] : bounds[index + 1]])
        # Stored counts may be a token short, where byte pairs melt across a cut.
        count = int((costs < budget - 1).sum())
        if count:
            spans[index] = ((int(context.starts[bounds[index]]), int(context.ends[bounds[index] + count - 1])),)
        break
    return Kept(spans)


def _column(case: Case, name: str) -> NDArray[np.float64]:
    question = read_question(case.request.question, None)
    signals = read_signals(case.context, question, np.zeros(case.context.passage_count))
    return signals.columns[:, FEATURES.index(name)]


def _cosines(case: Case) -> NDArray[np.float64]:
    cosines: NDArray[np.float64] = (case.context.vectors @ case.prepared.question_vector).astype(np.float64)
    return cosines


def _passage_cosines(case: Case) -> NDArray[np.float64]:
    sums = np.add.reduceat(case.context.vectors, case.context.firsts)
    lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
    cosines: NDArray[np.float64] = (sums @ case.prepared.question_vector / lengths).astype(np.float64)
    return cosines


METHODS = (
    Method("cut at the head", _head),
    Method(
        "BM25 passages",
        lambda case, budget: _best_passages(case, budget, _column(case, "bm25_passage")[case.context.firsts]),
    ),
    Method("BM25 sentences", lambda case, budget: _best_sentences(case, budget, _column(case, "bm25"))),
    Method("MiniLM passages", lambda case, budget: _best_passages(case, budget, _passage_cosines(case)), encodes=True),
    Method("MiniLM sentences", lambda case, budget: _best_sentences(case, budget, _cosines(case)), encodes=True),
    Method("ours, raw", _raw),
    Method("ours", _ours),
)
"""Ours is the last one."""
