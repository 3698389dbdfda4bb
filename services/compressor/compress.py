"""Compression of a request: keep what answers the question, verbatim, in order, never above the budget."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from services.chassis.work import checkpoint
from services.compressor.context import build_context
from services.compressor.contract import is_breached
from services.compressor.decision import decide
from services.compressor.fill import Prices, choose_units
from services.compressor.outcome import conclude, whole
from services.compressor.passage import Reason
from services.compressor.pattern_pins import add_pattern_pins
from services.compressor.raw import prepare_raw
from services.compressor.rendering import Layout, usual_marks
from services.compressor.scoring.features import read_question
from services.compressor.scoring.score import score_units
from services.compressor.settle import Kept, Room, settle
from services.compressor.sizing import measure
from services.text.shortening import Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.compressor.context import Context
    from services.compressor.passage import CompressInput, CompressOutput
    from services.compressor.ports import TokenCounter
    from services.compressor.sizing import Size


def compress(request: CompressInput) -> CompressOutput:
    """The passages, shortened to what `decide` says.

    Where everything fits, everything is kept untouched. Prepared bytes that are missing, damaged, of another version or
    of another text make a passage raw: it is prepared here, without vectors.
    """
    sizes = measure(request)
    if request.pin_patterns:
        sizes = [
            replace(size, signals=add_pattern_pins(size.signals, passage.text, request.pin_patterns))
            if size.signals
            else size
            for passage, size in zip(request.passages, sizes, strict=True)
        ]
    total, allowed = _measure_sections(request, sizes)
    decision = decide(total, allowed, request.target_tokens, request.price, prompt_cached=request.prompt_cached)
    if decision.level is Level.NONE:
        return whole(request, sizes, decision)
    uncut = []
    for index, (passage, size) in enumerate(zip(request.passages, sizes, strict=True)):
        checkpoint()
        if size.text and size.signals is None:
            signals, cut = prepare_raw(passage, request.encoding)
            sizes[index] = replace(size, signals=add_pattern_pins(signals, passage.text, request.pin_patterns))
            uncut += [] if cut else [index]
    known = {index: size.signals for index, size in enumerate(sizes) if size.signals and size.text}
    indexes = list(known)
    context = build_context(list(known.values()), request.encoding.name)
    retrieval = np.nan_to_num(np.array([request.passages[index].score for index in indexes], np.float64))
    scores = score_units(context, read_question(request.question, request.question_vector), retrieval)
    prices = _prices(request, sizes, indexes, context)
    firsts = context.firsts.tolist()
    chosen = []
    for group in choose_units(context, scores, prices, decision.bound):
        owner = int(context.owner[group[0]])
        chosen.append((indexes[owner], [unit - firsts[owner] for unit in group]))
    layouts = dict(zip(indexes, _layouts(context), strict=True))
    kept = settle(request, sizes, layouts, chosen, decision.bound)
    exceptions = _keep_contract(request, sizes, layouts, kept, decision.bound)
    return conclude(
        request,
        sizes,
        kept,
        decision,
        partly=Reason.BEST_UNITS,
        dropped=_why_dropped(request, sizes, indexes, context, decision.bound),
        exceptions=exceptions,
        uncut=uncut,
    )


def _measure_sections(request: CompressInput, sizes: Sequence[Size]) -> tuple[int, int]:
    """Tokens of all passages, and those that the budget and the bounds of the sections allow."""
    tokens = [0] * len(request.sections)
    for passage, size in zip(request.passages, sizes, strict=True):
        tokens[passage.section] += size.header + size.text if size.text else 0
    bounded = sum(
        count if section.max_tokens is None else min(count, section.max_tokens)
        for count, section in zip(tokens, request.sections, strict=True)
    )
    total = sum(tokens)
    return total, request.max_tokens if bounded == total else min(request.max_tokens, bounded)


def _keep_contract(
    request: CompressInput,
    sizes: Sequence[Size],
    layouts: Mapping[int, Layout],
    kept: dict[int, Kept],
    budget: int,
) -> dict[int, Reason]:
    """Puts the original, where it fits, or nothing in the place of a part that breaches the contract."""
    exceptions: dict[int, Reason] = {}
    room = Room(request, budget)
    for index, part in kept.items():
        room.take(index, sizes[index].header + part.token_count)
    for index, part in list(kept.items()):
        if not is_breached(request, index, layouts[index], part):
            continue
        exceptions[index] = Reason.CONTRACT
        room.take(index, -part.token_count)
        if sizes[index].text <= room.left(index):
            text = request.passages[index].text
            kept[index] = Kept(((0, len(text)),), text, sizes[index].text)
            room.take(index, sizes[index].text)
        else:
            del kept[index]
            room.take(index, -sizes[index].header)
    return exceptions


def _why_dropped(
    request: CompressInput, sizes: Sequence[Size], indexes: Sequence[int], context: Context, budget: int
) -> dict[int, Reason]:
    """Passages of which nothing could have been kept."""
    cheapest = np.minimum.reduceat(np.where(context.frames, budget, context.tokens), context.firsts).tolist()
    reasons = {}
    for index, tokens in zip(indexes, cheapest, strict=True):
        bound = request.sections[request.passages[index].section].max_tokens
        if sizes[index].header + tokens > budget:
            reasons[index] = Reason.TOO_LARGE
        elif bound is not None and sizes[index].header + tokens > bound:
            reasons[index] = Reason.SECTION_FULL
    return reasons


def _layouts(context: Context) -> list[Layout]:
    starts, ends, joins = context.starts.tolist(), context.ends.tolist(), context.joins.tolist()
    bounds = [*context.firsts.tolist(), context.size]
    return [Layout(starts[a:b], ends[a:b], joins[a:b]) for a, b in pairwise(bounds)]


def _prices(request: CompressInput, sizes: Sequence[Size], indexes: Sequence[int], context: Context) -> Prices:
    return Prices(
        headers=np.array([sizes[index].header for index in indexes], np.int64),
        gaps=_gap_prices(request.encoding, request.gap)[context.joins],
        owners=np.array([request.passages[index].section for index in indexes], np.intp),
        sections=request.sections,
    )


@lru_cache(maxsize=64)
def _gap_prices(encoding: TokenCounter, gap: str) -> NDArray[np.int64]:
    """By `Join`, the tokens of a gap's mark beyond the blank that every unit is counted with."""
    plain, *marked = encoding.count_batch(["a. A", *(f"a.{mark}A" for mark in usual_marks(gap))])
    return np.array([count - plain for count in marked], np.int64)
