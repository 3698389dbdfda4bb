"""Which units to take: a knapsack over scored units, never above the budget.

Objective: the greatest sum of exp(`SHARPNESS` * worth) over the kept units. The worth of a unit is its score, in
logits, and the logarithm of its section's priority, less what it repeats. Constraints: the budget, the floors and
bounds of the sections, and that what a kept unit needs is kept.

Greedy by value per cost (Dantzig, 1957) comes first: it takes units by worth - log(tokens they add) / `SHARPNESS`.
Where what is left over could still hold much value, skipped units are tried at the head of the queue, then taken ones
at its end, and the best filling stays: a bounded local search, which never ends below the greedy filling.

Redundancy is maximal marginal relevance (Carbonell & Goldstein, 1998), judged against all units of a better score and
not against the taken ones, which are mostly the same: so all is known at once, and values add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from services.chassis.work import checkpoint
from services.compressor.scoring.weights import MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.compressor.context import Context

SHARPNESS: Final = MODEL.fill.sharpness
DIVERSITY: Final = MODEL.fill.diversity
REPEAT_COSINE: Final = MODEL.fill.repeat_cosine
REPEAT_COSINE_APART: Final = MODEL.fill.repeat_cosine_apart
REPEAT_PENALTY: Final = MODEL.fill.repeat_penalty
_BLOCK: Final = 512
"""Units compared at once with all better ones: bounds the memory, not the result."""
_REACH: Final = 4
"""Of more units than a block, those are compared that fit into so many budgets."""
_ROUNDS: Final = 3
_TRIALS: Final = 4
"""Fillings that are tried in a round."""
_WORTH_TRYING: Final = 0.01
"""A filling is left as it is where no skipped unit could add this share of its value."""
_STEEPEST: Final = 600.0
"""Logits: values stay finite."""
_OUT, _KEPT, _COMING = range(3)
"""What a place in a filling is."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the budget."""

    priority: float = 1.0
    """How much a passage of it counts against one of another section, above 0 to 1."""
    min_tokens: int = 0
    """Its own as far as it can use them."""
    max_tokens: int | None = None
    """None: no bound but the budget."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What units and passages cost, in tokens, and what they are paid from."""

    headers: NDArray[np.int64]
    """(p,) title line and overhead, paid once a kept passage."""
    gaps: NDArray[np.int64]
    """(n,) what the mark of a gap before a unit costs more than a blank."""
    owners: NDArray[np.intp]
    """(p,) index of the section that pays for a passage."""
    sections: Sequence[Section]


Group = list[int]
"""A chosen unit and, behind it, the units that came in because it needs them."""


def choose_units(context: Context, scores: NDArray[np.float64], prices: Prices, budget: int) -> list[Group]:
    """The units to keep, the most valuable first; their costs add up to at most `budget`.

    Each section gets its floor first, by its own best units; what it cannot use flows on to all.
    """
    owner = context.owner
    priorities = np.log([section.priority for section in prices.sections])
    scores = scores + priorities[prices.owners][owner]
    dear = scores - np.log(np.maximum(context.tokens + prices.headers[owner], 1)) / SHARPNESS
    cheap = scores - np.log(np.maximum(context.tokens, 1)) / SHARPNESS
    penalties = _penalties(context, dear, DIVERSITY * _share(context, prices, budget), budget)
    queue = _queue(context, dear - penalties, cheap - penalties)
    worth = scores - penalties
    values = np.where(context.frames, 0.0, np.exp(np.maximum(SHARPNESS * (worth - worth.max()), -_STEEPEST)))
    return _improved(_Filling(context, prices, budget, values.tolist()), queue).groups


def _improved(filling: _Filling, queue: list[int]) -> _Filling:
    """The best filling found from the greedy one: a skipped unit goes to the head of the queue, or, where that does not
    help, a taken one to its end."""
    best, order = filling.fill(queue), queue
    for _ in range(_ROUNDS):
        hopes = best.candidates()
        found, its_order = _best(best, [[unit, *_but(order, unit)] for unit in hopes])
        if hopes and found.value <= best.value:
            found, its_order = _best(best, [[*_but(order, unit), unit] for unit in best.least_taken()])
        if found.value <= best.value:
            break
        best, order = found, its_order
    return best


def _best(filling: _Filling, orders: list[list[int]]) -> tuple[_Filling, list[int]]:
    """The best filling by one of the orders, and the order; `filling` itself where there are none."""
    trials = [(filling.again(order), order) for order in orders]
    return max(trials, key=lambda trial: trial[0].value, default=(filling, []))


def _but(order: list[int], unit: int) -> list[int]:
    return [other for other in order if other != unit]


def _share(context: Context, prices: Prices, budget: int) -> float:
    return min(1.0, budget / max(1, int(context.tokens.sum() + prices.headers.sum())))


def _penalties(context: Context, values: NDArray[np.float64], diversity: float, budget: int) -> NDArray[np.float64]:
    """(n,) what each unit loses for repeating one of a higher value.

    A unit that will hardly get a turn (`_REACH`) is not compared, and counts as a repeat.
    """
    ranked = np.argsort(-values, kind="stable")
    within_reach = int(np.searchsorted(np.cumsum(context.tokens[ranked]), _REACH * budget))
    rows = context.vectors[ranked[: max(_BLOCK, within_reach)]]
    owner = context.owner[ranked[: len(rows)]]
    nearest = np.ones(context.size, np.float32)
    repeats = np.ones(context.size, np.bool_)
    for begin in range(0, len(rows), _BLOCK):
        checkpoint()
        end = min(begin + _BLOCK, len(rows))
        cosines = rows[begin:end] @ rows[:end].T
        cosines *= np.tri(end - begin, end, begin - 1, dtype=np.float32)
        nearest[begin:end] = cosines.max(axis=1)
        # Few are that near: only those pairs are looked at one by one.
        rows_near, others = np.divmod(np.flatnonzero(cosines > min(REPEAT_COSINE, REPEAT_COSINE_APART)), end)
        near = rows_near + begin
        bounds = np.where(owner[near] == owner[others], REPEAT_COSINE, REPEAT_COSINE_APART)
        repeats[begin:end] = False
        repeats[near[cosines[rows_near, others] > bounds]] = True
    penalties = np.empty(context.size)
    penalties[ranked] = diversity * np.maximum(nearest, 0) + REPEAT_PENALTY * repeats
    return penalties


def _queue(context: Context, dear: NDArray[np.float64], cheap: NDArray[np.float64]) -> list[int]:
    """All units but frames, the best first; values `dear` with the passage's title, `cheap` without.

    The best unit of a passage pays the title. The others come after it, by what they are worth without.
    """
    opening = np.maximum.reduceat(dear, context.firsts)[context.owner]
    order: list[int] = np.lexsort((-cheap, dear < opening, -np.minimum(cheap, opening))).tolist()
    return [unit for unit in order if not context.frames[unit]] if context.frames.any() else order


class _Filling:
    """What is taken so far."""

    def __init__(self, context: Context, prices: Prices, budget: int, values: list[float]) -> None:
        self.groups: list[Group] = []
        self.value = 0.0
        self._context, self._prices, self._budget, self._values = context, prices, budget, values
        self._needs = context.needs
        self._owners: list[int] = context.owner.tolist()
        self._tokens: list[int] = context.tokens.tolist()
        self._gaps: list[int] = prices.gaps.tolist()
        self._headers: list[int] = prices.headers.tolist()
        self._payers: list[int] = prices.owners.tolist()
        self._left = budget
        self._room = [budget if section.max_tokens is None else section.max_tokens for section in prices.sections]
        self._opened = [False] * len(self._headers)
        # A place between the passages, so that no unit touches one of another passage.
        self._places: list[int] = (np.arange(1, context.size + 1) + context.owner).tolist()
        self._kept = [_OUT] * (context.size + len(self._headers) + 2)
        self._skipped: list[tuple[int, float, float]] = []
        """Units that did not fit at their turn, what the room left was worth by their value per token, and the value
        taken by then."""

    def fill(self, queue: Sequence[int]) -> _Filling:
        """Takes the floors of the sections, then the rest of the queue."""
        for index, section in enumerate(self._prices.sections):
            if section.min_tokens:
                self._take(queue, only=index, budget=section.min_tokens)
        self._skipped.clear()
        self._take(queue)
        return self

    def again(self, queue: Sequence[int]) -> _Filling:
        """Another filling of the same, in another order."""
        checkpoint()
        return _Filling(self._context, self._prices, self._budget, self._values).fill(queue)

    def least_taken(self) -> list[int]:
        """Taken units of the least value."""
        return sorted((group[0] for group in self.groups), key=self._values.__getitem__)[:_TRIALS]

    def candidates(self) -> list[int]:
        """Skipped units that could add to the value, the most promising first.

        Before a unit was skipped, only what has a better value per token was taken. With it instead, no more is won
        than its value per token times the room left then, less what came in later.
        """
        least = (1 + _WORTH_TRYING) * self.value
        hopes = [(taken + hope, unit) for unit, hope, taken in self._skipped if taken + hope > least]
        hopes.sort(reverse=True)
        return [unit for _, unit in hopes if not self._kept[self._places[unit]]][:_TRIALS]

    def _take(self, queue: Sequence[int], *, only: int | None = None, budget: int | None = None) -> None:
        """Takes what fits, in order: of one section, within `budget`, or of all."""
        kept, places, owners, payers, values = self._kept, self._places, self._owners, self._payers, self._values
        left = self._left if budget is None else min(budget, self._left)
        for unit in queue:
            payer = payers[owners[unit]]
            if kept[places[unit]] or (only is not None and payer != only):
                continue
            room = min(left, self._room[payer])
            if unit not in self._needs and self._tokens[unit] - self._gaps[unit] > room:
                # The usual end of a full budget: it cannot fit, whatever stands beside it.
                if room > 0:
                    self._skipped.append((unit, values[unit] * room / self._tokens[unit], self.value))
                continue
            group = self._closure(unit) if unit in self._needs else [unit]
            for member in group:
                kept[places[member]] = _COMING
            cost = self._cost(group)
            fits = cost <= room
            for member in group:
                kept[places[member]] = _KEPT if fits else _OUT
            if fits:
                left -= cost
                self._left -= cost
                self._room[payer] -= cost
                self._opened[owners[unit]] = True
                self.groups.append(group)
                self.value += sum([values[member] for member in group])
            elif room > 0 and cost <= self._budget:
                self._skipped.append((unit, values[unit] * room / cost, self.value))

    def _cost(self, group: Group) -> int:
        """Of a group that is coming: a unit beside a kept one needs no mark of a gap, and two that come share one."""
        kept, places = self._kept, self._places
        owner = self._owners[group[0]]
        cost = 0 if self._opened[owner] else self._headers[owner] - self._gaps[group[0]]
        for unit in group:
            place = places[unit]
            cost += self._tokens[unit] + self._gaps[unit] * (1 - (kept[place - 1] > 0) - (kept[place + 1] == _KEPT))
        return cost

    def _closure(self, unit: int) -> Group:
        """The unit and what it needs that is not kept yet."""
        group, seen = [unit], {unit}
        for member in group:
            for need in self._needs.get(member, ()):
                if need not in seen and not self._kept[self._places[need]]:
                    seen.add(need)
                    group.append(need)
        return group
