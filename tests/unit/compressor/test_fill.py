"""What is taken, and in what order."""

import numpy as np
import pytest

from services.compressor import fill
from services.compressor.context import Context, Postings
from services.compressor.fill import Prices, choose_units

NOTHING = Postings(np.zeros(0, np.uint32), np.zeros(0, np.intp))


def context(sizes, tokens, vectors=None) -> Context:
    """Passages of `sizes` units each; without `vectors` no unit is like another."""
    owner = np.repeat(np.arange(len(sizes)), sizes)
    firsts = np.cumsum(sizes) - sizes
    rows = np.eye(len(owner), dtype=np.float32) if vectors is None else np.array(vectors, np.float32)
    zeros = np.zeros(len(owner), np.int64)
    position = np.arange(len(owner)) - firsts[owner]
    table = (owner, position, firsts, zeros, zeros, zeros.astype(np.uint32), np.array(tokens, np.int64))
    return Context(*table, NOTHING, NOTHING, NOTHING, rows, has_vectors=True)


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
        pytest.param([1, 1], [2, 1], 0, 21, [0, 1], id="no-gap-between-passages"),
        pytest.param([1], [1], 0, 0, [], id="no-budget"),
    ],
)
def test_units_of_ten_tokens_and_a_gap_of_two(sizes, scores, header, budget, taken):
    prices = Prices(np.full(len(sizes), header), 2)
    units = context(sizes, [10] * sum(sizes))
    assert choose_units(units, np.array(scores, np.float64), prices, budget) == taken


def test_what_does_not_fit_leaves_room_for_what_does():
    prices = Prices(np.zeros(3, np.int64), 0)
    assert choose_units(context([1, 1, 1], [10, 50, 5]), np.array([9.0, 8.0, 1.0]), prices, 20) == [0, 2]


def test_the_unit_that_pays_the_title_comes_before_a_cheaper_sibling():
    prices = Prices(np.array([20]), 0)
    assert choose_units(context([2], [2, 40]), np.array([4.4, 5.0]), prices, 70) == [1, 0]


def test_units_far_behind_still_fill_what_is_left(monkeypatch):
    monkeypatch.setattr(fill, "_BLOCK", 1)
    prices = Prices(np.zeros(4, np.int64), 0)
    assert choose_units(context([1] * 4, [90, 90, 90, 5]), np.arange(4, 0, -1.0), prices, 20) == [3]


def test_a_repeat_goes_to_the_end_and_a_likeness_sinks():
    vectors = [[1, 0, 0], [1, 0, 0], [0.8, 0.6, 0], [0, 0, 1]]
    scores = np.array([3.0, 2.9, 2.0, 1.5])
    prices = Prices(np.zeros(4, np.int64), 0)
    assert choose_units(context([1] * 4, [10] * 4, vectors), scores, prices, 40) == [0, 3, 2, 1]


def test_comparing_in_blocks_changes_nothing(monkeypatch):
    random = np.random.default_rng(3)
    vectors = random.normal(size=(50, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    units = context([5] * 10, random.integers(3, 30, 50), vectors)
    arguments = (units, random.normal(size=50), Prices(np.full(10, 4), 1), 300)
    at_once = choose_units(*arguments)
    monkeypatch.setattr(fill, "_BLOCK", 7)
    assert choose_units(*arguments) == at_once
