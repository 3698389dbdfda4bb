"""What a set of weights keeps: the figures that the fit reports, by training and by cross-validation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.compress_listwise import Example, fit_gate, fit_weights
from benchmarks.qa import Judge, positives, whole
from benchmarks.qa_prepared import prompt_title
from services.compressor.context import build_context
from services.compressor.fill import Prices, Section, choose_units
from services.compressor.passage import CompressInput, Passage
from services.compressor.prepared import Column
from services.compressor.rendering import Layout
from services.compressor.scoring.bridge import read_bridges
from services.compressor.scoring.features import FEATURES, read_question, read_signals
from services.compressor.scoring.score import hop_gate, likelihoods
from services.compressor.settle import settle
from services.compressor.sizing import Size
from services.text.tokens import encoding_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.qa_prepared import PreparedRecord
    from services.compressor.context import Context
    from services.compressor.scoring.features import Question, Signals
    from services.compressor.scoring.weights import Weights

FOLDS: Final = 5
SINGLE_WEIGHT: Final = 7.0
"""What the set of single-passage questions counts against each of the others."""
_ENCODING: Final = encoding_for("cl100k_base")


@dataclass(frozen=True, slots=True)
class Trial:
    """A record, ready to be scored by any weights."""

    request: CompressInput
    context: Context
    question: Question
    rankings: tuple[Signals, ...]
    """Of each ranking of the passages that the weights must do with; the first is the one that is judged."""
    items: tuple[NDArray[np.intp], ...]
    judge: Judge
    token_count: int
    """Of the whole context."""
    sizes: tuple[Size, ...]
    several: bool
    fold: int


def read_trials(records: Sequence[PreparedRecord], *, several: bool, with_vectors: bool) -> list[Trial]:
    """One for each record. Without vectors, the passages are ranked twice: not at all, and as a hybrid search would."""
    folds = np.random.default_rng(0).permutation(len(records)) % FOLDS
    return [
        _read_trial(prepared, int(fold), several=several, with_vectors=with_vectors)
        for prepared, fold in zip(records, folds, strict=True)
    ]


def _read_trial(prepared: PreparedRecord, fold: int, *, several: bool, with_vectors: bool) -> Trial:
    record, signals = prepared.record, prepared.signals
    context = build_context(signals, _ENCODING.name)
    units = [[(int(row[Column.START]), int(row[Column.END])) for row in passage.table] for passage in signals]
    question = read_question(record.question, prepared.question_vector)
    rankings: tuple[Signals, ...] = (read_signals(context, question, np.zeros(context.passage_count)),)
    if not with_vectors:
        found = rankings[0].columns[:, [FEATURES.index("bm25_passage"), FEATURES.index("cosine_passage")]].mean(axis=1)
        question = replace(question, vector=None)
        searches = (np.zeros(context.passage_count), found[context.firsts])
        rankings = tuple(read_signals(context, question, search) for search in searches)
    passages = tuple(Passage("", prompt_title(document), document.text, "docs") for document in record.documents)
    return Trial(
        request=CompressInput(record.question, None, passages, 0, _ENCODING, 0),
        context=context,
        question=question,
        rankings=rankings,
        items=tuple(
            np.array([context.firsts[document] + unit for document, unit in item], np.intp)
            for item in positives(record, units)
        ),
        judge=Judge(record),
        token_count=_ENCODING.count(whole(record)),
        sizes=tuple(Size(s.title_tokens[0], s.text_tokens[0], s, raw=False) for s in signals),
        several=several,
        fold=fold,
    )


def fit(sets: Sequence[Sequence[Trial]], *, but: int | None = None) -> tuple[NDArray[np.float64], Weights]:
    """Gate and weights by all trials, or by all `but` those of a fold."""
    examples = [
        Example(t.context, t.question, signals, t.items, (1.0 if t.several else SINGLE_WEIGHT) / len(trials), t.several)
        for trials in sets
        for t in trials
        if t.items and t.fold != but
        for signals in t.rankings
    ]
    gate = fit_gate(examples)
    return gate, fit_weights(examples, gate)


def shares_kept(
    trials: Sequence[Trial], models: Sequence[tuple[NDArray[np.float64], Weights]], ratios: Sequence[float]
) -> dict[tuple[str, float], float]:
    """Percent of "answer" and "all" by ratio; each trial is scored by its fold's model, or by the only one."""
    kept: dict[tuple[str, float], list[bool]] = defaultdict(list)
    for trial in trials:
        scores = _score(trial, *models[trial.fold % len(models)])
        for ratio in ratios:
            answer, evidence = _judge(trial, scores, int(ratio * trial.token_count))
            for measure, holds in (("answer", answer), ("all", evidence)):
                if holds is not None:
                    kept[measure, ratio].append(holds)
    return {key: 100 * mean(values) for key, values in kept.items()}


def _score(trial: Trial, gate: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    signals = trial.rankings[0]
    hops = hop_gate(len(trial.question.terms), signals.best_coverage, gate)
    first = weights.first_look(signals.columns, hops)
    bridges = read_bridges(trial.context, trial.question, likelihoods(first))
    result: NDArray[np.float64] = first + hops * (bridges @ weights.bridges)
    return result


def _judge(trial: Trial, scores: NDArray[np.float64], budget: int) -> tuple[bool | None, bool | None]:
    context, count = trial.context, trial.context.passage_count
    prices = Prices(
        headers=np.array([size.header for size in trial.sizes], np.int64),
        gaps=np.zeros(context.size, np.int64),
        owners=np.zeros(count, np.intp),
        sections=(Section(),),
    )
    firsts = context.firsts.tolist()
    chosen = []
    for group in choose_units(context, scores, prices, budget):
        owner = int(context.owner[group[0]])
        chosen.append((owner, [unit - firsts[owner] for unit in group]))
    starts, ends, joins = context.starts.tolist(), context.ends.tolist(), context.joins.tolist()
    bounds = [*firsts, context.size]
    layouts = {i: Layout(*(part[bounds[i] : bounds[i + 1]] for part in (starts, ends, joins))) for i in range(count)}
    kept = settle(trial.request, trial.sizes, layouts, chosen, budget)
    return trial.judge.verdict([kept[index].spans if index in kept else () for index in range(count)])
