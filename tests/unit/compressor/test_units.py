"""Where passages may be cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compressor.units import split_units
from services.text.sentences import MAX_LENGTH

CODE = '''\
import os
import sys

# Doubles a number.
@cached
def double(x: int) -> int:
    """Twice x."""
    return (
        x
        * 2
    )
def triple(x):
    return 3 * x
'''


@pytest.mark.parametrize(
    ("kind", "text", "units"),
    [
        pytest.param("docs", "One is here. Two is there.", ["One is here.", "Two is there."], id="sentences"),
        pytest.param("docs", "| a | b |\n| 1 | 2 |\n", ["| a | b |", "| 1 | 2 |"], id="table-rows"),
        pytest.param(
            "code",
            CODE,
            [
                "import os\nimport sys",
                CODE[CODE.index("# Doubles") : CODE.index("\ndef triple")],
                "def triple(x):\n    return 3 * x",
            ],
            id="code-by-definition",
        ),
        pytest.param("code", "a = 1\r\n\r\n  b = 2\r\n", ["a = 1", "  b = 2"], id="code-by-blank-line"),
        pytest.param(
            "history",
            "user: Where is it? I lost it.\nassistant: On the desk.",
            ["user: Where is it? I lost it.", "assistant: On the desk."],
            id="turns",
        ),
        pytest.param(
            "history",
            "user: " + "I went there. " * 40,
            ["user: I went there."] + ["I went there."] * 39,
            id="long-turn-by-sentence",
        ),
        pytest.param("code", "", [], id="empty"),
        pytest.param("history", " \n ", [], id="blank"),
    ],
)
def test_units(kind, text, units):
    assert [text[start:end] for start, end in split_units(text, kind)] == units


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["docs", "code", "history"]),
    text=st.text(
        st.sampled_from("ab(). \n\r\t#@é東。\x1c\u2028") | st.characters(exclude_categories=["Cs"]), max_size=900
    ),
)
def test_units_are_ordered_bounded_and_cover_every_word(kind, text):
    last = 0
    for start, end in split_units(text, kind):
        assert last <= start < end <= len(text)
        assert not text[last:start].strip()
        assert end - start <= MAX_LENGTH
        assert text[start:end].strip()
        last = end
    assert not text[last:].strip()
