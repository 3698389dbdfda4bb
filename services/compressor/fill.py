"""Which units to take: greedy by score, redundancy and cost, never above the budget.

Maximal marginal relevance (Carbonell & Goldstein, 1998) with a cost: units come by score - redundancy -
`COST_WEIGHT` * log(tokens they add). Scores are logits: this takes likelihood per token, tempered. Redundancy is judged
against all units of a better score, not against the taken ones, which are mostly the same: so all is known at once, and
nothing has to be reckoned again after each unit taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.compressor.context import Context

COST_WEIGHT: Final = 0.5
"""0 takes the best unit whatever it costs, 1 takes likelihood per token; between them, fitted."""
DIVERSITY: Final = 2.0
"""Logits that a unit loses at cosine 1 to a better one, times the share of the context that fits: where little fits,
several units around the answer are worth more than one of everything."""
REPEAT_COSINE: Final = 0.965
REPEAT_PENALTY: Final = 6.0
"""A unit that says what a better one says goes to the end of the queue, at any budget. Of two vectors at cosine 0.98,
half bytes make 0.965."""
_BLOCK: Final = 512
"""Units compared at once with all better ones: bounds the memory, not the result."""
_REACH: Final = 4
"""Of more units than a block, those are compared that fit into so many budgets."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What units and passages cost, in tokens."""

    headers: NDArray[np.int64]
    """(p,) title line and overhead, paid once a kept passage."""
    gap: int
    """What a gap between two spans costs more than a blank."""


def choose_units(context: Context, scores: NDArray[np.float64], prices: Prices, budget: int) -> list[int]:
    """Indexes of the units to keep, best first; their costs add up to at most `budget`."""
    owner = context.owner
    dear = scores - COST_WEIGHT * np.log(np.maximum(context.tokens + prices.headers[owner], 1))
    cheap = scores - COST_WEIGHT * np.log(np.maximum(context.tokens, 1))
    penalties = _penalties(context, dear, DIVERSITY * _share(context, prices, budget), budget)
    return _take(context, _queue(context, dear - penalties, cheap - penalties), prices, budget)


def _share(context: Context, prices: Prices, budget: int) -> float:
    return min(1.0, budget / max(1, int(context.tokens.sum() + prices.headers.sum())))


def _penalties(context: Context, values: NDArray[np.float64], diversity: float, budget: int) -> NDArray[np.float64]:
    """(n,) what each unit loses for repeating one of a higher value.

    A unit that will hardly get a turn (`_REACH`) is not compared, and counts as a repeat.
    """
    ranked = np.argsort(-values, kind="stable")
    within_reach = int(np.searchsorted(np.cumsum(context.tokens[ranked]), _REACH * budget))
    rows = context.vectors[ranked[: max(_BLOCK, within_reach)]]
    nearest = np.ones(context.size, np.float32)
    for begin in range(0, len(rows), _BLOCK):
        end = min(begin + _BLOCK, len(rows))
        cosines = rows[begin:end] @ rows[:end].T
        cosines *= np.tri(end - begin, end, begin - 1, dtype=np.float32)
        nearest[begin:end] = cosines.max(axis=1)
    penalties = np.empty(context.size)
    penalties[ranked] = diversity * np.maximum(nearest, 0) + REPEAT_PENALTY * (nearest > REPEAT_COSINE)
    return penalties


def _queue(context: Context, dear: NDArray[np.float64], cheap: NDArray[np.float64]) -> list[int]:
    """All units, the best first; values `dear` with the passage's title, `cheap` without.

    The best unit of a passage pays the title. The others come after it, by what they are worth without.
    """
    opening = np.maximum.reduceat(dear, context.firsts)[context.owner]
    order: list[int] = np.lexsort((-cheap, dear < opening, -np.minimum(cheap, opening))).tolist()
    return order


def _take(context: Context, queue: list[int], prices: Prices, budget: int) -> list[int]:
    owners, tokens, headers = context.owner.tolist(), context.tokens.tolist(), prices.headers.tolist()
    opened = [False] * len(headers)
    # A place between the passages, so that no unit touches one of another passage.
    places = (np.arange(1, context.size + 1) + context.owner).tolist()
    kept = [False] * (context.size + len(headers) + 2)
    taken: list[int] = []
    left = budget
    for unit in queue:
        owner, place = owners[unit], places[unit]
        cost = tokens[unit]
        if opened[owner]:
            cost += prices.gap * (1 - kept[place - 1] - kept[place + 1])
        else:
            cost += headers[owner]
        if cost <= left:
            left -= cost
            opened[owner] = kept[place] = True
            taken.append(unit)
    return taken
