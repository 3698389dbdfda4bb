"""How what is kept of a passage stands in the prompt."""

import pytest

from services.compressor.rendering import Layout, render, spans_of
from services.compressor.units import Join

PROSE, LINE, ROW, PYTHON, BRACES = Join.PROSE, Join.LINE, Join.ROW, Join.PYTHON, Join.BRACES
ITEM, OPEN, CLOSE = Join.JSON_ITEM, Join.JSON_OPEN, Join.JSON_CLOSE


def _layout(text, pieces):
    starts, ends, position = [], [], 0
    for piece, _ in pieces:
        starts.append(text.index(piece, position))
        position = starts[-1] + len(piece)
        ends.append(position)
    return Layout(starts, ends, [int(join) for _, join in pieces])


WORDS = ("a b c d e", [(letter, PROSE) for letter in "abcde"])
LINES = ("a\nb\nc\nd\ne", [(letter, LINE) for letter in "abcde"])
LABEL = ("u: a b\n\nc", [("u:", LINE), ("a", PROSE), ("b", PROSE), ("c", PROSE)])
HEADING = ("# h\na b", [("# h", LINE), ("a", PROSE), ("b", PROSE)])
ITEMS = ("a b\n- c d", [("a", PROSE), ("b", PROSE), ("- c", LINE), ("d", PROSE)])
TABLE = ("|h|\n|-|\n|1|\n|2|\nend", [("|h|", ROW), ("|-|", ROW), ("|1|", ROW), ("|2|", ROW), ("end", PROSE)])
CODE = ("def f():\n    a\n    b\nc", [("def f():", PYTHON), ("    a", PYTHON), ("    b", PYTHON), ("c", PYTHON)])
BLOCK = ("f {\n\ta;\n\tb;\n}", [("f {", BRACES), ("\ta;", BRACES), ("\tb;", BRACES), ("}", BRACES)])
FENCE = (
    "t\n```py\na\nb\n```\nu",
    [("t", PROSE), ("```py", LINE), ("a", PYTHON), ("b", PYTHON), ("```", LINE), ("u", PROSE)],
)
JSON = (
    '{\n  "a": 1,\n  "b": [\n    2,\n    3\n  ],\n  "c": 4\n}',
    [
        ("{", OPEN),
        ('"a": 1', ITEM),
        ('"b": [', OPEN),
        ("2", ITEM),
        ("3", ITEM),
        ("]", CLOSE),
        ('"c": 4', ITEM),
        ("}", CLOSE),
    ],
)
JSON_LINES = ("[1]\n[2]\n[3,4]", [("[1]", ITEM), ("[2]", ITEM), ("[", OPEN), ("3", ITEM), ("4", ITEM), ("]", CLOSE)])


@pytest.mark.parametrize(
    ("passage", "kept", "shown"),
    [
        pytest.param(WORDS, [], "", id="nothing"),
        pytest.param(WORDS, [0, 1, 2, 3, 4], "a b c d e", id="all"),
        pytest.param(WORDS, [1, 3], "b [...] d", id="no-mark-at-the-edges-of-prose"),
        pytest.param(LINES, [1, 3], "b\n[...]\nd", id="mark-on-a-line-of-its-own"),
        pytest.param(LABEL, [0, 2], "u: [...] b", id="mark-behind-a-label"),
        pytest.param(HEADING, [0, 2], "# h\n[...]\nb", id="mark-below-a-heading"),
        pytest.param(ITEMS, [0, 3], "a\n[...]\nd", id="mark-over-the-end-of-a-line"),
        pytest.param(ITEMS, [0, 2], "a\n[...]\n- c", id="mark-before-an-item"),
        pytest.param(TABLE, [0, 1, 3], "|h|\n|-|\n| … |\n|2|", id="mark-is-a-row"),
        pytest.param(CODE, [0], "def f():\n    ...", id="mark-is-a-body"),
        pytest.param(CODE, [0, 2], "def f():\n    ...\n    b\n...", id="marks-in-and-behind-python"),
        pytest.param(CODE, [3], "...\nc", id="mark-before-python"),
        pytest.param(BLOCK, [0, 3], "f {\n\t// ...\n}", id="mark-is-a-comment"),
        pytest.param(FENCE, [1, 3, 4], "```py\n...\nb\n```", id="mark-of-code-in-a-fence"),
        pytest.param(FENCE, [0, 5], "t\n[...]\nu", id="mark-of-a-fence"),
        pytest.param(JSON, [0, 1, 6, 7], '{\n  "a": 1,\n  "c": 4\n}', id="no-mark-in-json"),
        pytest.param(JSON, [0, 2, 4, 5, 7], '{\n  "b": [\n    3\n  ]\n}', id="last-element-and-last-member"),
        pytest.param(JSON, [0, 2, 3, 5, 6, 7], '{\n  "b": [\n    2\n  ],\n  "c": 4\n}', id="comma-behind-a-bracket"),
        pytest.param(JSON, [0, 7], "{\n  }", id="emptied-object"),
        pytest.param(JSON_LINES, [0, 2, 4, 5], "[1]\n[4]", id="no-comma-between-json-lines"),
    ],
)
def test_gaps(passage, kept, shown):
    text, pieces = passage
    assert render(text, _layout(text, pieces), kept, " [...] ") == shown


def test_an_empty_gap_is_no_line():
    text, pieces = LINES
    assert render(text, _layout(text, pieces), [0, 2], " ") == "a\nc"


def test_neighbours_are_one_span():
    text, pieces = WORDS
    assert spans_of(_layout(text, pieces), [0, 1, 3]) == ((0, 3), (6, 7))
