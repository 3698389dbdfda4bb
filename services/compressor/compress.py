"""Compression of a request: keep what answers the question, verbatim, in order, never above the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.compressor.context import build_context
from services.compressor.features import read_question
from services.compressor.fill import Prices, choose_units
from services.compressor.outcome import conclude, whole
from services.compressor.passage import Reason
from services.compressor.prepare import prepare
from services.compressor.rendering import settle
from services.compressor.scoring import score_units
from services.compressor.sizing import measure
from services.compressor.units import split_units

if TYPE_CHECKING:
    from services.compressor.passage import CompressInput, CompressOutput, Passage
    from services.compressor.ports import TokenCounter
    from services.compressor.prepared import PassageSignals


def compress(request: CompressInput) -> CompressOutput:
    """The passages, shortened to `request.max_tokens`.

    Where everything fits, everything is kept untouched. Prepared bytes that are missing, damaged, of another version or
    of another text make a passage raw: it is prepared here, without vectors.
    """
    sizes = measure(request)
    if sum(size.header + size.text for size in sizes if size.text) <= request.max_tokens:
        return whole(request, sizes)
    known = {
        index: size.signals or _prepare_raw(passage, request.encoding)
        for index, (passage, size) in enumerate(zip(request.passages, sizes, strict=True))
        if size.text
    }
    context = build_context(list(known.values()), request.encoding.name)
    indexes = list(known)
    retrieval = np.nan_to_num(np.array([request.passages[index].score for index in indexes], np.float64))
    scores = score_units(context, read_question(request.question, request.question_vector), retrieval)
    prices = Prices(np.array([sizes[index].header for index in indexes], np.int64), _gap_price(request))
    units = choose_units(context, scores, prices, request.max_tokens)
    owners, starts, ends = (column[units].tolist() for column in (context.owner, context.starts, context.ends))
    chosen = [(indexes[owner], (start, end)) for owner, start, end in zip(owners, starts, ends, strict=True)]
    cheapest = dict(zip(indexes, np.minimum.reduceat(context.tokens, context.firsts).tolist(), strict=True))
    return conclude(request, sizes, settle(request, sizes, chosen), cheapest, Reason.BEST_UNITS)


def _prepare_raw(passage: Passage, encoding: TokenCounter) -> PassageSignals:
    return prepare(passage.title, passage.text, split_units(passage.text, passage.kind), None, [encoding])


def _gap_price(request: CompressInput) -> int:
    """Tokens of a gap beyond the blank that every unit is counted with."""
    closed, opened = request.encoding.count_batch(["a. A", f"a.{request.gap}A"])
    return opened - closed
