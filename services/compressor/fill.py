"""Which units to take: greedy by score, redundancy and cost, never above the budget.

Maximal marginal relevance (Carbonell & Goldstein, 1998) with a cost: the next unit is the one of highest
score - redundancy - `COST_WEIGHT` * log(tokens it adds). Scores are logits: this takes likelihood per token, tempered.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from services.compressor.context import Context

COST_WEIGHT: Final = 0.3
"""0 takes the best unit whatever it costs, 1 takes likelihood per token; between them, fitted."""
DIVERSITY: Final = 2.0
"""Logits that a unit loses at cosine 1 to a taken one, times the share of the context that fits: where little fits,
several units around the answer are worth more than one of everything."""
REPEAT_COSINE: Final = 0.98
REPEAT_PENALTY: Final = 6.0
"""A unit that says what a taken one says goes to the end of the queue, at any budget."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What units and passages cost, in tokens."""

    headers: NDArray[np.int64]
    """(p,) title line and overhead, paid once a kept passage."""
    gap: int
    """What a gap between two spans costs more than a blank."""


def choose_units(context: Context, scores: NDArray[np.float64], prices: Prices, budget: int) -> list[int]:
    """Indexes of the units to keep, best first; their costs add up to at most `budget`."""
    taken: list[int] = []
    queue = _Queue(context, scores, prices, diversity=DIVERSITY * _share(context, prices, budget))
    spent = 0
    for unit in queue:
        cost = queue.cost(unit)
        if spent + cost <= budget:
            spent += cost
            taken.append(unit)
            queue.take(unit)
    return taken


def _share(context: Context, prices: Prices, budget: int) -> float:
    return min(1.0, budget / max(1, int(context.tokens.sum() + prices.headers.sum())))


class _Queue:
    """Units by priority. Taking one changes the priority of others: those that repeat it sink, which is found out when
    they come up (lazy greedy, Minoux 1978); those that now come without a header rise, and are queued again.
    """

    def __init__(self, context: Context, scores: NDArray[np.float64], prices: Prices, *, diversity: float) -> None:
        self._vectors = context.vectors
        self._diversity = diversity
        self._owner = context.owner.tolist()
        self._tokens = context.tokens.tolist()
        self._headers = prices.headers.tolist()
        self._gap = prices.gap
        self._scores = scores.tolist()
        self._bounds = [*context.firsts.tolist(), context.size]
        self._penalty = np.zeros(context.size)
        self._open = [False] * context.passage_count
        self._left = [True] * context.size
        self._taken = [False] * (context.size + 1)
        first = scores - COST_WEIGHT * np.log(np.maximum(context.tokens + prices.headers[context.owner], 1))
        self._heap = list(zip((-first).tolist(), range(context.size), strict=True))
        heapq.heapify(self._heap)

    def __iter__(self) -> Iterator[int]:
        while self._heap:
            queued, unit = heapq.heappop(self._heap)
            if not self._left[unit]:
                continue
            current = self._key(unit)
            if current > queued + 1e-9:
                heapq.heappush(self._heap, (current, unit))
                continue
            self._left[unit] = False
            yield unit

    def cost(self, unit: int) -> int:
        """Tokens that taking the unit adds: a header if it is the first, a gap if it touches no taken one."""
        owner = self._owner[unit]
        tokens: int = self._tokens[unit]
        if not self._open[owner]:
            return tokens + int(self._headers[owner])
        begin, end = self._bounds[owner], self._bounds[owner + 1]
        touched = (unit > begin and self._taken[unit - 1]) + (unit + 1 < end and self._taken[unit + 1])
        return tokens + self._gap * (1 - touched)

    def take(self, unit: int) -> None:
        """The unit is kept."""
        self._taken[unit] = True
        cosines = self._vectors @ self._vectors[unit]
        penalty = self._diversity * cosines + REPEAT_PENALTY * (cosines > REPEAT_COSINE)
        np.maximum(self._penalty, penalty, out=self._penalty)
        owner = self._owner[unit]
        if not self._open[owner]:
            self._open[owner] = True
            for sibling in range(self._bounds[owner], self._bounds[owner + 1]):
                if self._left[sibling]:
                    heapq.heappush(self._heap, (self._key(sibling), sibling))

    def _key(self, unit: int) -> float:
        owner = self._owner[unit]
        cost = self._tokens[unit] + (0 if self._open[owner] else self._headers[owner])
        score: float = self._scores[unit]
        return -(score - float(self._penalty[unit]) - COST_WEIGHT * math.log(max(cost, 1)))
