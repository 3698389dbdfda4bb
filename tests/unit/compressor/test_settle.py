# ruff: noqa: RUF001 - the ambiguous characters are what these tests are about
"""Counts without a look at the text are those of the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compressor.seams import seams_of
from services.text.tokens import ENCODING_NAMES, encoding_for

# What the encodings' patterns treat each in its own way, white space that is no blank among it.
_WORDS = [
    "a",
    "Word",
    "Dennis",
    "Quaid.",
    "ÉTÉ",
    "漢字。",
    "e\u0301",
    "\u0301",
    "1",
    "2024",
    "12345",
    "'s",
    "'LL",
    "I'm",
    "ſ",
    "!",
    "//",
    "/path/",
    "...",
    "x\ny",
    "x\n\n/y",
    "x\t\ny",
    "\u00a0",
    "\u200b",
    "👩‍👩‍👧",
    "<|endoftext|>",
    "\x1c",
    "\x00",
    "\ud83d",
]
_UNITS = st.lists(st.sampled_from(_WORDS) | st.text(max_size=6), min_size=1, max_size=5).map(" ".join)
_GAPS = [" ", " … ", " [...] ", "\n", "", "  ", " \n ", "…"]


@pytest.mark.parametrize("name", ENCODING_NAMES)
@settings(max_examples=600, deadline=None)
@given(units=st.lists(_UNITS.filter(bool), min_size=1, max_size=5), gap=st.sampled_from(_GAPS), data=st.data())
def test_what_adds_up_is_what_the_text_counts(name: str, units: list[str], gap: str, data: st.DataObject) -> None:
    encoding = encoding_for(name)
    between = [data.draw(st.sampled_from([" ", gap])) for _ in units[1:]]
    text = units[0] + "".join(mark + unit for mark, unit in zip(between, units[1:], strict=True))
    counts = [encoding.count(f" {unit}\n") for unit in units]
    total = seams_of(encoding).total(units, counts, gap, sum(mark != " " for mark in between))
    assert total in {None, encoding.count(f"{text}\n")}


@pytest.mark.parametrize("name", ENCODING_NAMES)
@pytest.mark.parametrize("gap", [" ", " … ", " [...] "])
def test_sentences_add_up(name: str, gap: str) -> None:
    encoding = encoding_for(name)
    units = ["Dennis Quaid was born in 1954.", "“He acts”, she said!", "東京 is a city (in Japan)"]
    total = seams_of(encoding).total(units, [encoding.count(f" {unit}\n") for unit in units], gap, 2)
    assert total == encoding.count(f"{gap.join(units)}\n")


@pytest.mark.parametrize(
    ("units", "gap"),
    [
        pytest.param(["  indented code", "and more"], " ", id="white space before the first"),
        pytest.param(["one two", " three"], " ", id="white space before another"),
        pytest.param(["one two\t", "three"], " ", id="white space behind one"),
        pytest.param(["word", "and more"], " ", id="a first unit of one word"),
        pytest.param(["one two", "three four"], "\n", id="a gap that is not between blanks"),
    ],
)
def test_what_cannot_be_told_is_left_to_a_count(units: list[str], gap: str) -> None:
    encoding = encoding_for("cl100k_base")
    assert seams_of(encoding).total(units, [encoding.count(f" {unit}\n") for unit in units], gap, 1) is None
