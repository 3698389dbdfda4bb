"""Where passages may be cut."""

import pytest

from services.compressor.units import Join, split_units
from services.compressor.units.imports import go_names, java_names, python_names, script_names
from services.compressor.units.soundness import is_sound
from tests.unit.compressor.keeping import LONG, keep, layout_of


def _outline(text, kind):
    return [(unit.join, text[unit.start : unit.end]) for unit in split_units(text, kind)]


@pytest.mark.parametrize(
    ("kind", "text", "units"),
    [
        pytest.param("docs", "One is here. Two is there.", ["One is here.", "Two is there."], id="sentences"),
        pytest.param(
            "docs", "# One\n- two. Three.\n  - four\n", ["# One", "- two.", "Three.", "  - four"], id="blocks"
        ),
        pytest.param("docs", "a | b\n--|--\n1 | 2\n", ["a | b", "--|--", "1 | 2"], id="table"),
        pytest.param("docs", "```\none\n\n  two\n```\n", ["```", "one", "  two", "```"], id="fence"),
        pytest.param("docs", "```py\na = 1\nb = 2\n```", ["```py", "a = 1", "b = 2", "```"], id="fenced-code"),
        pytest.param("docs", "~~~\n```\n", ["~~~", "```"], id="fence-without-end"),
        pytest.param("docs", '{"a": [1, 2]}', ['{"a": [1, 2]}'], id="short-json"),
        pytest.param("docs", '{"a": 1}\n{"a": 2}\n', ['{"a": 1}', '{"a": 2}'], id="json-lines"),
        pytest.param("code", "import os\n\n# Note.\nx = 1\n", ["import os", "# Note.\nx = 1"], id="statements"),
        pytest.param("code", "a = 1; b = 2\nc = 3", ["a = 1; b = 2", "c = 3"], id="line-of-two-statements"),
        pytest.param(
            "code", "if x:\n    f()\nelse:\n    g()\n", ["if x:\n    f()\nelse:\n    g()"], id="small-compound"
        ),
        pytest.param("code", "a = (\r\n\r\n  b = 2\r\n", ["a = (", "  b = 2"], id="broken-code-by-blank-line"),
        pytest.param("code", "a()\n;b()\nc()", ["a()\n;b()", "c()"], id="line-that-begins-with-a-mark"),
        pytest.param(
            "code", "  @A()\n\n  f(x: B): C { }\n", ["  @A()\n\n  f(x: B): C { }"], id="decorator-above-a-blank"
        ),
        pytest.param("code", "a = 1\rb = 2", ["a = 1\rb = 2"], id="line-ends-of-old"),
        pytest.param(
            "history",
            "user: Where is it? I lost it.\nassistant: On the desk.",
            ["user: Where is it? I lost it.", "assistant: On the desk."],
            id="turns",
        ),
        pytest.param(
            "history",
            "user: " + "I went there. " * 40,
            ["user:", *["I went there."] * 40],
            id="long-turn-by-sentence",
        ),
        pytest.param("history", "Ann: It is.\nHere.", ["Ann:", "It is.", "Here."], id="turn-of-two-lines"),
        pytest.param(
            "history",
            "user: See.\n```\nAnn: x\n```",
            ["user:", "See.", "```", "Ann: x", "```"],
            id="no-turns-in-a-fence",
        ),
        pytest.param("history", "Just text. More.", ["Just text.", "More."], id="no-turns"),
        pytest.param("code", "", [], id="empty"),
        pytest.param("docs", "\n", [], id="blank-document"),
        pytest.param("history", " \n ", [], id="blank"),
    ],
)
def test_units(kind, text, units):
    assert [shown for _, shown in _outline(text, kind)] == units


@pytest.mark.parametrize(
    ("kind", "text", "joins"),
    [
        pytest.param("docs", "# One\nTwo. Three.\n", [Join.LINE, Join.PROSE, Join.PROSE], id="heading"),
        pytest.param("docs", "Two:\n- a. b.\n> c\n", [Join.PROSE, Join.LINE, Join.LINE], id="items"),
        pytest.param("docs", "| a |\n", [Join.ROW], id="row-without-head"),
        pytest.param("docs", "Use a | b here.\n", [Join.PROSE], id="bar-in-prose"),
        pytest.param("docs", "```\n| a |\n|---|\n| 1 |\n```", [Join.LINE] * 5, id="table-in-fence"),
        pytest.param("code", "const x = 1;\n", [Join.BRACES], id="javascript"),
        pytest.param("code", "void f() { int x = 1; }\n", [Join.BRACES], id="java"),
        pytest.param(
            "code", "  private final int x = 1;\n  public Foo(int y) { }\n", [Join.BRACES] * 2, id="java-members"
        ),
        pytest.param("code", "  foo(x: string): void { }\n", [Join.BRACES], id="typescript-member"),
        pytest.param("code", "func f() {}", [Join.BRACES], id="go"),
        pytest.param("code", "    def f(self):\n        pass\n", [Join.PYTHON], id="indented-python"),
        pytest.param("code", "        a = f(1)\n    b = f(2)\n", [Join.LINE], id="python-cut-in-a-block"),
        pytest.param("code", "<div>{x}</div>;\n", [Join.BRACES], id="component"),
        pytest.param("code", "# a\n  b = f(1)\n", [Join.LINE], id="python-below-a-comment-in-another-column"),
        pytest.param(
            "code", "package a\n\ntype T interface {\n\tA()\n}", [Join.BRACES] * 2, id="go-without-last-line-end"
        ),
        pytest.param("code", "a := f(1)\0\n", [Join.LINE], id="nul"),
        pytest.param("code", "const a = 1; // b\rf();\n", [Join.LINE], id="line-end-of-old"),
        pytest.param("code", "name: x\nkind: y\n", [Join.LINE], id="no-language-of-ours"),
        pytest.param("docs", "Text:\n\n    indented\n", [Join.PROSE, Join.LINE], id="indented-code"),
        pytest.param("code", "The quick brown fox.\n", [Join.LINE], id="no-code"),
        pytest.param("code", "[1,\n 2]", [Join.JSON_ITEM], id="json"),
    ],
)
def test_how_units_stand(kind, text, joins):
    assert [join for join, _ in _outline(text, kind)] == joins


@pytest.mark.parametrize(("value", "count"), [("iota", 1), ("load", 22)], ids=["by-their-place", "by-value"])
def test_constants_numbered_by_their_place_stay_together(value, count):
    text = "const (\n" + "".join(f"\tName{index} = {value} + {index}\n" for index in range(20)) + ")\n"
    assert len(split_units(text, "code")) == count


def test_a_comma_at_the_beginning_of_a_line_goes_with_what_is_above():
    text = f"const c = {{\n  a: '{LONG}'\n  , b: 2\n  , d: 3\n}};\n"
    assert keep(text, "code", "d: 3") == text.strip()


def test_a_name_needs_few_of_the_imports_that_bind_it():
    *_, last = split_units("import load\n" * 9 + "load(1)\n", "code")
    assert last.needs == (0, 1)


def test_a_head_that_says_nothing_is_a_frame():
    text = f"try:\n    load('{LONG}')\nexcept E:\n    b = '{LONG}'\n"
    assert [unit.frame for unit in split_units(text, "code")] == [True, False, True, False]


def test_comments_in_a_column_of_their_own_go_with_what_is_above():
    text = f"def f():\n    a = '{LONG}'\n  # odd\n    b = f(2)\n    c = f(3)\n"
    assert keep(text, "code", "c =") == "def f():\n    ...\n    c = f(3)"
    assert keep(text, "code", "a =") == f"def f():\n    a = '{LONG}'\n  # odd\n    ..."


def test_json_is_opened_to_a_bounded_depth():
    units = split_units("[" * 300 + "1" + "]" * 300, "docs")
    assert [unit.join for unit in units].count(Join.JSON_OPEN) == 32


@pytest.mark.parametrize(
    ("names", "statement", "bound"),
    [
        pytest.param(python_names, "import os.path", ["os"], id="python-package"),
        pytest.param(python_names, "import a.b as c, d", ["c", "d"], id="python-alias"),
        pytest.param(python_names, "from a import (\n  b,  # c\n  d as e,\n)", ["b", "e"], id="python-names"),
        pytest.param(python_names, "from __future__ import annotations", [], id="python-future"),
        pytest.param(go_names, 'import "a/b"', ["b"], id="go"),
        pytest.param(go_names, 'c "a/b"', ["c"], id="go-alias"),
        pytest.param(go_names, '"a/b/v2"', ["b"], id="go-version"),
        pytest.param(go_names, '"gopkg.in/yaml.v3"', ["yaml"], id="go-version-in-the-name"),
        pytest.param(java_names, "import a.b.C;", ["C"], id="java"),
        pytest.param(script_names, 'import a, { b as c, type D } from "m"', ["a", "c", "D"], id="script"),
        pytest.param(script_names, "import * as a from 'm'", ["a"], id="script-namespace"),
        pytest.param(script_names, 'import "m"', [], id="script-without-names"),
    ],
)
def test_names_of_imports(names, statement, bound):
    assert list(names(statement)) == bound


@pytest.mark.parametrize(
    ("text", "kind", "broken"),
    [
        pytest.param('{"a": 1}', "docs", '{"a": 1', id="json"),
        pytest.param("a = f(1)\n", "code", "a = f(1", id="python"),
        pytest.param("const a = 1;\n", "code", "const a = {;", id="braces"),
    ],
)
def test_what_no_longer_parses_is_unsound(text, kind, broken):
    layout = layout_of(split_units(text, kind))
    assert is_sound(text, layout)
    assert not is_sound(broken, layout)


def test_prose_is_always_sound():
    assert is_sound("{", layout_of(split_units("Just text.", "docs")))
