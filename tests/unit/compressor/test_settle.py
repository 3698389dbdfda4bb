# ruff: noqa: RUF001 - the ambiguous characters are what these tests are about
"""Counts without a look at the text are those of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compressor.seams import Seams, seams_of
from services.text.tokens import ENCODING_NAMES, encoding_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.text.tokens import Encoding

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
_BLANKS = st.sampled_from([" ", " ", "  ", "\n  ", "\t "])
_INDENTS = st.sampled_from(["", "", "    ", "\t", "\n", "\x1c "])
_GAPS = [
    " ",
    " … ",
    " [...] ",
    "\n",
    "\n\n",
    "\r\n",
    "\n    ",
    "\n\t",
    "\n    ...\n",
    "\n// ...\n",
    "\n| … |\n",
    ",\n  ",
    ",",
    "",
    "  ",
    " \n ",
    "…",
    "/",
    "\u2028 ",
    "\u3000",
]


@st.composite
def _units(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.sampled_from(_WORDS) | st.text(max_size=6), min_size=1, max_size=5))
    return draw(_INDENTS) + draw(_BLANKS).join(words) + draw(st.sampled_from(["", "", " ", "\n"]))


@pytest.mark.parametrize("name", ENCODING_NAMES)
@settings(max_examples=1000, deadline=None)
@given(units=st.lists(_units().filter(bool), max_size=5), data=st.data())
def test_what_adds_up_is_what_the_text_counts(name: str, units: list[str], data: st.DataObject) -> None:
    encoding = encoding_for(name)
    parts = [data.draw(st.sampled_from(["", "...\n", "  ", "\n"]))]
    for unit in units:
        parts += (unit, data.draw(st.sampled_from(_GAPS)))
    total = seams_of(encoding).total(parts, [encoding.count(f" {unit}\n") for unit in units])
    assert total == encoding.count("".join(parts) + "\n")


_CODE = ["def f(a, b):", "    if a == 1:", "        return b + 2  # two", "    ...", "    return None"]


@pytest.mark.parametrize("name", ENCODING_NAMES)
@pytest.mark.parametrize(
    ("units", "between"),
    [
        pytest.param(["Dennis Quaid was born in 1954.", "“He acts”, she said!", "東京 is a city"], " ", id="sentences"),
        pytest.param(["Dennis Quaid was born in 1954.", "“He acts”, she said!"], " … ", id="sentences with a gap"),
        pytest.param(_CODE, "\n", id="lines"),
        pytest.param([line.strip() for line in _CODE], "\n        ", id="lines without their indentation"),
    ],
)
def test_what_is_between_units_is_all_that_is_counted(name: str, units: list[str], between: str) -> None:
    encoding = _Recorded(encoding_for(name))
    counts = [encoding_for(name).count(f" {unit}\n") for unit in units]
    parts = ["", *(part for unit in units for part in (unit, between))]
    assert Seams(encoding).total(parts, counts) == encoding_for(name).count("".join(parts) + "\n")
    assert not any(unit in text for unit in units for text in encoding.counted if len(unit.split()) > 2)


class _Recorded:
    """An encoding that notes what it counts."""

    def __init__(self, encoding: Encoding) -> None:
        self.name = encoding.name
        self.counted: list[str] = []
        self._encoding = encoding

    def count(self, text: str) -> int:
        self.counted.append(text)
        return self._encoding.count(text)

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        return [self.count(text) for text in texts]
