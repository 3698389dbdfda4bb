"""Selection: from candidates of several sources to one ranked list."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import accumulate
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from services.selector.diversity import NOVELTY, Chosen
from services.selector.fusion import fuse
from services.selector.query import Pick, Scores
from services.selector.recency import recency_factors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.selector.query import Candidates


def rank(candidates: Sequence[Candidates], now: datetime) -> list[Pick]:
    """Choose the best of all sources, of each source up to its limit; best first. Implements `ports.Rank`.

    A passage that says what a chosen one says takes no place; it is returned beside the others and says for whom it was
    left out. A passage that several sources found is returned once, by the source that values it most. Each chosen
    passage of a document makes the next one of it worth less.
    """
    if not candidates:
        return []
    lexical_parts, dense_parts = fuse(candidates)
    recency = np.concatenate([recency_factors(source.created, now, source.query.recency) for source in candidates])
    base = (lexical_parts + dense_parts) * recency
    passages = np.concatenate([source.passages for source in candidates])
    counts = [len(source.cosine) for source in candidates]
    sources = np.repeat(np.arange(len(counts)), counts)
    starts = list(accumulate(counts, initial=0))
    places = [source.query.limit for source in candidates]

    # Values only fall while passages are chosen. So what is on top with its value of now is the best of all
    # (Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978).
    order = np.argsort(-base, kind="stable")
    heap = list(zip((-base[order]).tolist(), order.tolist(), [0] * len(order), strict=True))
    chosen = Chosen(candidates)
    picks: dict[int, Pick] = {}
    returned: set[int] = set()
    left = sum(places)
    while heap and left:
        _, index, counted = heappop(heap)
        number, passage = int(sources[index]), int(passages[index])
        if not places[number] or passage in returned:
            continue
        better = chosen.of_document(index)
        if better != counted:
            heappush(heap, (-float(base[index]) * NOVELTY**better, index, better))
            continue
        returned.add(passage)
        position = index - starts[number]
        bm25 = float(candidates[number].bm25[position])
        scores = Scores(
            lexical=0.0 if isnan(bm25) else bm25,
            dense=float(candidates[number].cosine[position]),
            lexical_part=float(lexical_parts[index]),
            dense_part=float(dense_parts[index]),
            recency=float(recency[index]),
            novelty=NOVELTY**better,
        )
        same = chosen.choose(index)
        picks[index] = Pick(number, position, scores, None if same is None else picks[same])
        if same is None:
            places[number] -= 1
            left -= 1
    return list(picks.values())
