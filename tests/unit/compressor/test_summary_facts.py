# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""Where a fact stands in a text, and where only its letters do."""

from __future__ import annotations

import pytest

from services.compressor.summary.facts import stands
from services.compressor.summary.sentence import normalise, number_words


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        pytest.param("5", "It has 5 doors.", id="between blanks"),
        pytest.param("5", "Doors: 5.", id="before a full stop"),
        pytest.param("5", "(5)", id="in brackets"),
        pytest.param("5", "5, 6 or 7", id="before a comma"),
        pytest.param("5 km", "It is 5\nkm long.", id="over a line end"),
        pytest.param("-5", "It was -5 outside.", id="with its sign"),
        pytest.param("$5", "It costs $5.", id="with its currency"),
        pytest.param("5 %", "It fell by 5 %.", id="with its percent sign"),
        pytest.param("a/b", "See a/b.", id="a path"),
    ],
)
def test_a_fact_stands_between_borders(fact, text):
    assert stands(fact, text)


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        pytest.param("5", "It has 15 doors.", id="digit before"),
        pytest.param("5", "It has 52 doors.", id="digit behind"),
        pytest.param("5", "It is 0.5 wide.", id="decimals"),
        pytest.param("5", "It is .5 wide.", id="decimals without a zero"),
        pytest.param("5", "It is 5.2 wide.", id="whole part"),
        pytest.param("5", "It has 5,200 doors.", id="thousands"),
        pytest.param("5", "It was -5 outside.", id="a sign lost"),
        pytest.param("5", "It costs $5.", id="a currency lost"),
        pytest.param("5", "It costs 5 €.", id="a currency behind lost"),
        pytest.param("5", "It fell by 5 %.", id="a percent sign lost"),
        pytest.param("5", "It takes <5 seconds.", id="a comparison lost"),
        pytest.param("5", "It takes ≥ 5 seconds.", id="a comparison apart lost"),
        pytest.param("5", "from 5-7", id="the beginning of a range"),
        pytest.param("7", "from 5-7", id="the end of a range"),
        pytest.param("5", "chapter_5", id="an identifier"),
        pytest.param("Ann", "Anna left.", id="a name cut"),
        pytest.param("b", "See a/b.", id="a path cut"),
        pytest.param("a", "See a/b.", id="a path cut behind"),
        pytest.param("", "Anything.", id="nothing"),
    ],
)
def test_a_part_of_a_fact_does_not(fact, text):
    assert not stands(fact, text)


def test_words_with_a_digit_keep_their_signs_and_lose_their_brackets():
    text = 'It rose (by 5 %), to "$3m", in `v2.1`; < 7 of [12].'
    assert number_words(text) == ["5 %", "$3m", "v2.1", "< 7", "12"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("‘a’ “b”", "'a' \"b\"", id="quotes"),
        pytest.param("10–20 −5", "10-20 -5", id="dashes"),
        pytest.param("5\N{NO-BREAK SPACE}\N{THIN SPACE}km\n6", "5 km\n6", id="blanks"),
        pytest.param("10² m³", "10^2 m^3", id="powers"),
        pytest.param("ﬁne", "fine", id="ligatures"),
    ],
)
def test_what_looks_alike_is_made_alike(text, expected):
    assert normalise(text) == expected
