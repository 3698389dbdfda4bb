"""Which units to take: greedy by score, redundancy and cost, never above the budget.

Maximal marginal relevance (Carbonell & Goldstein, 1998) with a cost: the next unit is the one of highest
score - redundancy - `COST_WEIGHT` * log(tokens it adds). Scores are logits: this takes likelihood per token, tempered.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from services.compressor.context import Context

COST_WEIGHT: Final = 0.5
"""0 takes the best unit whatever it costs, 1 takes likelihood per token; between them, fitted."""
DIVERSITY: Final = 2.0
"""Logits that a unit loses at cosine 1 to a taken one, times the share of the context that fits: where little fits,
several units around the answer are worth more than one of everything."""
REPEAT_COSINE: Final = 0.98
REPEAT_PENALTY: Final = 6.0
"""A unit that says what a taken one says goes to the end of the queue, at any budget."""
_SMALL: Final = 512
_EQUAL: Final = 1e-9


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
        self._redundancy = _Redundancy(context.vectors, diversity)
        self._owner = context.owner.tolist()
        self._tokens = context.tokens.tolist()
        self._headers = prices.headers.tolist()
        self._gap = prices.gap
        self._bounds = [*context.firsts.tolist(), context.size]
        self._open = [False] * context.passage_count
        self._left = [True] * context.size
        self._taken = [False] * context.size
        with_header = scores - COST_WEIGHT * np.log(np.maximum(context.tokens + prices.headers[context.owner], 1))
        self._values = with_header.tolist()
        self._values_inside = (scores - COST_WEIGHT * np.log(np.maximum(context.tokens, 1))).tolist()
        self._heap = list(zip((-with_header).tolist(), range(context.size), strict=True))
        heapq.heapify(self._heap)

    def __iter__(self) -> Iterator[int]:
        while self._heap:
            queued, unit = heapq.heappop(self._heap)
            if not self._left[unit]:
                continue
            current = self._key(unit)
            if current > queued + _EQUAL:
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
        self._redundancy.add(unit)
        owner = self._owner[unit]
        if not self._open[owner]:
            self._open[owner] = True
            self._values[self._bounds[owner] : self._bounds[owner + 1]] = self._values_inside[
                self._bounds[owner] : self._bounds[owner + 1]
            ]
            for sibling in range(self._bounds[owner], self._bounds[owner + 1]):
                if self._left[sibling]:
                    heapq.heappush(self._heap, (self._key(sibling), sibling))

    def _key(self, unit: int) -> float:
        value: float = self._values[unit]
        return self._redundancy.penalties.item(unit) - value


class _Redundancy:
    """What units lose for repeating taken ones."""

    def __init__(self, vectors: NDArray[np.float32], diversity: float) -> None:
        self.penalties = np.zeros(len(vectors), np.float32)
        self._vectors = vectors
        self._diversity = np.float32(diversity)
        # One product of matrices is five times faster than one of a vector for each taken unit, while it is small.
        self._rows = self._penalise(vectors @ vectors.T) if len(vectors) <= _SMALL else None

    def add(self, unit: int) -> None:
        """The unit was taken."""
        row = self._penalise(self._vectors @ self._vectors[unit]) if self._rows is None else self._rows[unit]
        np.maximum(self.penalties, row, out=self.penalties)

    def _penalise(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        penalties: NDArray[np.float32] = self._diversity * cosines
        penalties[cosines > REPEAT_COSINE] += np.float32(REPEAT_PENALTY)
        return penalties
