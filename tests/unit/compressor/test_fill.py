"""What is taken, and in what order; and how near the best choice it comes."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compressor import fill
from services.compressor.context import Context, Postings
from services.compressor.fill import Prices, Section, choose_units

NOTHING = Postings(np.zeros(0, np.uint32), np.zeros(0, np.intp))
PLAIN = Section()


def context(sizes, tokens, *, vectors=None, needs=None, frames=()) -> Context:
    """Passages of `sizes` units each; without `vectors` no unit is like another."""
    owner = np.repeat(np.arange(len(sizes)), sizes)
    firsts = np.cumsum(sizes) - sizes
    zeros = np.zeros(len(owner), np.int64)
    return Context(
        owner=owner,
        position=np.arange(len(owner)) - firsts[owner],
        firsts=firsts,
        starts=zeros,
        ends=zeros,
        cues=zeros,
        joins=zeros,
        frames=np.isin(np.arange(len(owner)), list(frames)),
        needs=needs or {},
        tokens=np.array(tokens, np.int64),
        terms=NOTHING,
        names=NOTHING,
        titles=NOTHING,
        vectors=np.eye(len(owner), dtype=np.float32) if vectors is None else np.array(vectors, np.float32),
        has_vectors=True,
    )


def prices(units: Context, *, header=0, gap=0, owners=None, sections=(PLAIN,)) -> Prices:
    return Prices(
        headers=np.full(units.passage_count, header),
        gaps=np.full(units.size, gap),
        owners=np.zeros(units.passage_count, np.intp) if owners is None else np.array(owners, np.intp),
        sections=sections,
    )


def chosen(units: Context, scores, what: Prices, budget: int) -> list[int]:
    return [unit for group in choose_units(units, np.array(scores, np.float64), what, budget) for unit in group]


def costs(units: Context, kept, what: Prices) -> list[int]:
    """What each section pays, reckoned from what is kept alone."""
    paid = [0] * len(what.sections)
    for unit in kept:
        owner = int(units.owner[unit])
        is_first = not any(units.owner[other] == owner and other < unit for other in kept)
        opening = what.headers[owner] if is_first else 0 if unit - 1 in kept else what.gaps[unit]
        paid[what.owners[owner]] += int(units.tokens[unit] + opening)
    return paid


@pytest.mark.parametrize(
    ("sizes", "scores", "header", "budget", "taken"),
    [
        pytest.param([1, 1, 1], [1, 3, 2], 0, 20, [1, 2], id="the-best-that-fit"),
        pytest.param([1, 1], [9, 0], 5, 14, [], id="a-title-is-paid-for"),
        pytest.param([2, 1], [5, 1.0, 1.1], 10, 40, [0, 1], id="a-sibling-comes-without-a-title"),
        pytest.param([2, 1], [1.0, 5, 9], 10, 100, [2, 1, 0], id="the-best-unit-opens-its-passage"),
        pytest.param([3], [3, 1, 2], 0, 22, [0, 2], id="a-gap-is-paid-for"),
        pytest.param([3], [3, 1, 2], 0, 32, [0, 2, 1], id="filling-a-hole-gives-the-gap-back"),
        pytest.param([2], [2, 1], 0, 20, [0, 1], id="neighbours-have-no-gap"),
        pytest.param([1, 1], [2, 1], 0, 20, [0, 1], id="no-gap-between-passages"),
        pytest.param([1], [1], 0, 0, [], id="no-budget"),
    ],
)
def test_units_of_ten_tokens_and_a_gap_of_two(sizes, scores, header, budget, taken):
    units = context(sizes, [10] * sum(sizes))
    assert chosen(units, scores, prices(units, header=header, gap=2), budget) == taken


def test_what_does_not_fit_leaves_room_for_what_does():
    units = context([1, 1, 1], [10, 50, 5])
    assert chosen(units, [9.0, 8.0, 1.0], prices(units), 20) == [0, 2]


def test_the_unit_that_pays_the_title_comes_before_a_cheaper_sibling():
    units = context([2], [2, 40])
    assert chosen(units, [4.2, 5.0], prices(units, header=20), 70) == [1, 0]


def test_a_valuable_unit_takes_the_place_of_cheap_ones():
    units = context([1, 1, 1], [10, 10, 95])
    assert sorted(chosen(units, [1.0, 1.0, 2.0], prices(units), 100)) == [2]


def test_units_far_behind_still_fill_what_is_left(monkeypatch):
    monkeypatch.setattr(fill, "_BLOCK", 1)
    units = context([1] * 4, [90, 90, 90, 5])
    assert chosen(units, np.arange(4, 0, -1.0), prices(units), 20) == [3]


def test_a_repeat_goes_to_the_end_and_a_likeness_sinks():
    units = context([1] * 4, [10] * 4, vectors=[[1, 0, 0], [1, 0, 0], [0.8, 0.6, 0], [0, 0, 1]])
    assert chosen(units, [3.0, 2.9, 2.0, 1.5], prices(units), 40) == [0, 3, 2, 1]


@pytest.mark.parametrize("sizes", [pytest.param([1] * 6, id="apart"), pytest.param([6], id="in-one-passage")])
def test_what_is_said_twice_goes_before_anything_else(sizes):
    vectors = np.eye(6)[[0, 1, 2, 3, 0, 1]]
    units = context(sizes, [10] * 6, vectors=vectors)
    # The repeats are of the best units; the worst unit of all says something new.
    assert sorted(chosen(units, [9.0, 8.0, -3.0, -9.0, 8.9, 7.9], prices(units), 48)) == [0, 1, 2, 3]


def test_units_read_in_one_passage_may_be_more_alike():
    vectors = [[1, 0], [0.95, np.sqrt(1 - 0.95**2)], [-1, 0]]
    together, apart = context([2, 1], [10] * 3, vectors=vectors), context([1, 1, 1], [10] * 3, vectors=vectors)
    assert chosen(together, [5.0, 4.9, -1.0], prices(together), 20) == [0, 1]
    assert chosen(apart, [5.0, 4.9, -1.0], prices(apart), 20) == [0, 2]


def test_comparing_in_blocks_changes_nothing(monkeypatch):
    random = np.random.default_rng(3)
    vectors = random.normal(size=(50, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    units = context([5] * 10, random.integers(3, 30, 50), vectors=vectors)
    arguments = (units, random.normal(size=50), prices(units, header=4, gap=1), 300)
    at_once = choose_units(*arguments)
    monkeypatch.setattr(fill, "_BLOCK", 7)
    assert choose_units(*arguments) == at_once


@pytest.mark.parametrize(
    ("needs", "frames", "budget", "taken"),
    [
        pytest.param({2: (0,)}, (), 20, [[2, 0]], id="what-is-needed-comes-too"),
        pytest.param({2: (1,), 1: (0,)}, (), 30, [[2, 1, 0]], id="needs-of-needs"),
        pytest.param({2: (0,)}, (), 19, [[1]], id="not-without-what-it-needs"),
        pytest.param({0: (2,), 2: (0,)}, (), 20, [[2, 0]], id="units-that-need-each-other"),
        pytest.param({}, (2,), 30, [[1], [0]], id="a-frame-never-comes-alone"),
        pytest.param({1: (2,)}, (2,), 20, [[1, 2]], id="a-frame-comes-by-need"),
    ],
)
def test_three_units_of_ten_tokens_the_last_one_the_best(needs, frames, budget, taken):
    units = context([3], [10] * 3, needs=needs, frames=frames)
    assert choose_units(units, np.array([0.0, 1.0, 5.0]), prices(units), budget) == taken


@pytest.mark.parametrize(
    ("sections", "scores", "taken"),
    [
        pytest.param([Section(1.0), Section(0.5)], [1.0, 1.0, 1.0, 1.0], {0, 1}, id="priority-orders-equal-scores"),
        pytest.param([Section(), Section(min_tokens=10)], [5.0, 4.0, 2.0, 1.0], {0, 2}, id="a-floor-by-its-best"),
        pytest.param([Section(max_tokens=10), Section()], [5.0, 4.0, 2.0, 1.0], {0, 2}, id="a-bound-is-kept"),
        pytest.param([Section(max_tokens=0), Section()], [5.0, 4.0, 2.0, 1.0], {2, 3}, id="a-bound-of-nothing"),
        pytest.param([Section(), Section(min_tokens=9)], [5.0, 4.0, 2.0, 1.0], {0, 1}, id="an-unused-floor-flows-on"),
    ],
)
def test_two_sections_of_two_units_of_ten_tokens_share_twenty(sections, scores, taken):
    units = context([1] * 4, [10] * 4)
    assert set(chosen(units, scores, prices(units, owners=[0, 0, 1, 1], sections=sections), 20)) == taken


@dataclass(frozen=True)
class Problem:
    units: Context
    scores: np.ndarray
    prices: Prices
    budget: int


@st.composite
def problems(draw: st.DrawFn, *, most: int = 24, floors: bool = True) -> Problem:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=most // 3))
    count = sum(sizes)
    owner, first = np.repeat(np.arange(len(sizes)), sizes), np.cumsum(sizes) - sizes
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tokens = random.integers(3, 60, count)
    needs = {}
    for unit in np.flatnonzero(random.random(count) < 0.2).tolist():
        others = set(range(first[owner[unit]], first[owner[unit]] + sizes[owner[unit]])) - {unit}
        if others:
            needs[unit] = (int(random.choice(sorted(others))),)
    units = context(sizes, tokens, needs=needs)
    bounded = Section(
        priority=draw(st.floats(0.2, 1.0)),
        min_tokens=draw(st.integers(0, 80)) if floors else 0,
        max_tokens=draw(st.integers(80, 200)),
    )
    what = prices(
        units,
        header=draw(st.integers(0, 14)),
        gap=draw(st.integers(0, 2)),
        owners=random.integers(0, 2, len(sizes)),
        sections=[Section(min_tokens=draw(st.integers(0, 60)) if floors else 0), bounded],
    )
    return Problem(
        units, random.normal(size=count) * draw(st.sampled_from([0.5, 1, 2])), what, draw(st.integers(0, 400))
    )


@settings(max_examples=150, deadline=None)
@given(problem=problems())
def test_budget_bounds_and_needs_hold(problem):
    kept = chosen(problem.units, problem.scores, problem.prices, problem.budget)
    assert len(kept) == len(set(kept))
    paid = costs(problem.units, set(kept), problem.prices)
    assert sum(paid) <= problem.budget
    assert paid[1] <= problem.prices.sections[1].max_tokens
    assert all(need in kept for unit in kept for need in problem.units.needs.get(unit, ()))


@settings(max_examples=150, deadline=None)
@given(problem=problems())
def test_nothing_that_fits_is_left_out(problem):
    kept = set(chosen(problem.units, problem.scores, problem.prices, problem.budget))
    for unit in set(range(problem.units.size)) - kept:
        wanted = closure(problem.units, unit) | kept
        paid = costs(problem.units, wanted, problem.prices)
        assert sum(paid) > problem.budget or paid[1] > problem.prices.sections[1].max_tokens


@settings(max_examples=100, deadline=None)
@given(problem=problems())
def test_a_floor_is_used_as_far_as_its_section_can(problem):
    kept = set(chosen(problem.units, problem.scores, problem.prices, problem.budget))
    paid = costs(problem.units, kept, problem.prices)
    floors = [section.min_tokens for section in problem.prices.sections]
    if sum(floors) > problem.budget:
        return
    for section, floor in enumerate(floors):
        own = {unit for unit in kept if problem.prices.owners[problem.units.owner[unit]] == section}
        for unit in range(problem.units.size):
            if problem.prices.owners[problem.units.owner[unit]] == section and unit not in own:
                assert costs(problem.units, own | closure(problem.units, unit), problem.prices)[section] > floor or (
                    paid[section] >= floor
                )


def closure(units: Context, unit: int) -> set[int]:
    found = {unit}
    while True:
        more = found | {need for member in found for need in units.needs.get(member, ())}
        if more == found:
            return found
        found = more


def value_of(problem: Problem, kept) -> float:
    priorities = np.log([section.priority for section in problem.prices.sections])
    worth = problem.scores + priorities[problem.prices.owners][problem.units.owner]
    return float(np.exp(fill.SHARPNESS * worth)[list(kept)].sum())


def best_value(problem: Problem) -> float:
    """By trying every set of units."""
    best = 0.0
    for mask in range(1, 1 << problem.units.size):
        kept = {unit for unit in range(problem.units.size) if mask >> unit & 1}
        if any(need not in kept for unit in kept for need in problem.units.needs.get(unit, ())):
            continue
        paid = costs(problem.units, kept, problem.prices)
        bound = problem.prices.sections[1].max_tokens
        if sum(paid) <= problem.budget and (bound is None or paid[1] <= bound):
            best = max(best, value_of(problem, kept))
    return best


def small_problem(seed: int) -> Problem:
    """Few enough units to try every set of them."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 4, random.integers(1, 5))[:3]
    count = int(sizes.sum())
    owner, first = np.repeat(np.arange(len(sizes)), sizes), np.cumsum(sizes) - sizes
    needs = {
        unit: (int(first[owner[unit]] + random.integers(sizes[owner[unit]])),)
        for unit in np.flatnonzero(random.random(count) < 0.2).tolist()
    }
    units = context(sizes, random.integers(3, 60, count), needs=needs)
    what = prices(
        units,
        header=int(random.integers(0, 15)),
        gap=int(random.integers(0, 3)),
        owners=random.integers(0, 2, len(sizes)),
        sections=[PLAIN, Section(priority=float(random.uniform(0.2, 1)), max_tokens=int(random.integers(80, 200)))],
    )
    scores = random.normal(size=count) * random.choice([0.5, 1, 2])
    return Problem(units, scores, what, int(random.integers(20, units.tokens.sum() + 21)))


def test_near_the_best_choice_and_never_below_the_greedy_one(monkeypatch):
    shares = []
    for problem in map(small_problem, range(150)):
        arguments = (problem.units, problem.scores, problem.prices, problem.budget)
        taken = value_of(problem, chosen(*arguments))
        with monkeypatch.context() as patch:
            patch.setattr(fill, "_ROUNDS", 0)
            assert taken >= value_of(problem, chosen(*arguments)) * (1 - 1e-9)
        if best := best_value(problem):
            shares.append(taken / best)
    assert min(shares) >= 0.95
    assert np.mean(shares) >= 0.999
