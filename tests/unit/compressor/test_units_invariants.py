"""What holds of the units of any text, and of any choice among them."""

import ast
import inspect
import json
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compressor.rendering import render, spans_of
from services.compressor.units import Join, split_units
from services.compressor.units.code import parses
from services.compressor.units.json_members import is_json
from services.compressor.units.soundness import is_sound
from tests.unit.compressor.keeping import closure, layout_of, shown

KINDS = ("docs", "code", "history")
JSON_JOINS = {Join.JSON_ITEM, Join.JSON_OPEN, Join.JSON_CLOSE}
MUCH = 65_536

names = st.sampled_from(["a", "load", "état", "x1", "os", "Item", "json"])
texts = st.text(st.sampled_from("ab (){}[]:;,.\"'\\\t#/é東\u200d\u2028\x0c"), max_size=30)
literals = texts.map(json.dumps) | st.integers(-9, 999).map(str)


def check_units(text, units):
    """In order, disjoint, with all text but white space, and the commas of JSON."""
    last = 0
    for index, unit in enumerate(units):
        between = text[last : unit.start].strip()
        assert not between or (between == "," and {unit.join, units[index - 1].join} <= JSON_JOINS)
        assert unit.start < unit.end
        assert text[unit.start : unit.end].strip()
        assert all(0 <= need < len(units) and need != index for need in unit.needs)
        last = unit.end
    assert not text[last:].strip()


def choices(data, units):
    """Some of the units, with all that they need."""
    chosen = data.draw(st.sets(st.integers(0, len(units) - 1), max_size=6)) if units else set()
    return closure(units, chosen)


def check_choice(text, units, kept):
    layout = layout_of(units)
    prompt = render(text, layout, kept, " ... ")
    assert is_sound(prompt, layout)
    place = 0
    for start, end in spans_of(layout, kept):
        place = prompt.index(text[start:end], place) + end - start
    return prompt


def _indented(lines, by="    "):
    return "".join(f"{by}{line}\n" for line in "".join(lines).splitlines())


def _python_compounds(statements):
    bodies = st.lists(statements, max_size=4).map(lambda lines: _indented([*lines, "pass\n"]))
    return st.one_of(
        st.tuples(names, bodies).map(lambda part: f"def {part[0]}(x: int = 1, *rest) -> str:\n{part[1]}"),
        st.tuples(names, bodies).map(lambda part: f"@load\nclass {part[0]}(Item):\n{part[1]}"),
        st.tuples(bodies, bodies, bodies).map(
            lambda part: f"if a:  # why\n{part[0]}# back\nelif load(1):\n{part[1]}else:\n{part[2]}"
        ),
        st.tuples(bodies, bodies, bodies).map(
            lambda part: f"try:\n{part[0]}except OSError as error:\n{part[1]}finally:\n{part[2]}"
        ),
        st.tuples(bodies, bodies).map(lambda part: f"for a in x1:\n{part[0]}else:\n{part[1]}"),
        st.tuples(bodies, bodies).map(
            lambda part: f"match a:\n    case 1:\n{_indented([part[0]])}    case _:\n{_indented([part[1]])}"
        ),
        st.tuples(names, bodies).map(lambda part: f"with {part[0]} as b, load():\n{part[1]}"),
    )


python_statements = st.one_of(
    st.tuples(names, literals).map(lambda part: f"{part[0]} = load({part[1]}, x1)\n"),
    st.tuples(names, literals).map(lambda part: f"{part[0]} = [\n    {part[1]},\n    a,\n]\n"),
    st.sampled_from(
        [
            "import os\n",
            "from json import (\n    load,  # c\n    dumps as d,\n)\n",
            "# a comment\n",
            "\n",
            "pass\n",
            "a = 1; load(2)\n",
            "if a: load()\n",
            '"""A docstring\nof two lines."""\n',
            "x = a if a \\\n    else load\n",
            "load(lambda: (\n    1\n))\n",
        ]
    ),
)
python_files = st.lists(st.recursive(python_statements, _python_compounds, max_leaves=12), min_size=1, max_size=5).map(
    "".join
)


def _brace_compounds(*forms):
    def extend(statements):
        bodies = st.lists(statements, min_size=1, max_size=5).map(lambda lines: _indented(lines, "\t"))
        return st.tuples(st.sampled_from(forms), bodies, bodies).map(
            lambda part: part[0].replace("BODY", part[1]).replace("MORE", part[2])
        )

    return extend


def _file(head, form, simple, *forms):
    """Files: a head, and functions with statements of some forms."""
    fill = "a long line that nobody reads " * 3
    statements = st.recursive(
        st.tuples(st.sampled_from([*simple, "// a comment\n", "\n", "/* one\n   two */\n"]), names, literals).map(
            lambda part: part[0].replace("NAME", part[1].replace("é", "e")).replace("TEXT", json.dumps(part[2] + fill))
        ),
        _brace_compounds(*forms),
        max_leaves=10,
    )
    bodies = st.lists(statements, min_size=1, max_size=4).map(lambda lines: _indented(lines, "\t"))
    return st.lists(bodies, min_size=1, max_size=2).map(
        lambda parts: head + "".join(form.replace("BODY", part) for part in parts)
    )


GO = _file(
    'package main\n\nimport (\n\t"fmt"\n\tload "os"\n)\n\n',
    "// Does it.\nfunc (s *T) Run(a int) (int, error) {\nBODY\treturn 1, nil\n}\n\n",
    ["NAME := load(TEXT)\n", "fmt.Println(TEXT)\n", "var NAME = []string{\n\tTEXT,\n\tTEXT,\n}\n"],
    "if a > 1 {\nBODY} else if a > 2 {\nMORE} else {\n}\n",
    "for i := range a {\nBODY}\n",
    "switch a {\ncase 1, 2:\nBODYdefault:\nMORE}\n",
    "go func() {\nBODY}()\n",
    "select {\ncase <-c:\nBODYcase d <- 1:\nMORE}\n",
)
JAVA = _file(
    "package a.b;\n\nimport java.util.List;\n\n@Named\npublic class Item {\n    private int a = 1;\n",
    "    /** Does it. */\n    @Override\n    public int run(List<String> a) throws Exception {\n"
    "BODY        return 1;\n    }\n",
    ["load(TEXT);\n", "String NAME = TEXT + TEXT;\n", "int[] NAME = {\n\t1,\n\t2\n};\n"],
    "if (a > 1) {\nBODY} else if (a > 2) {\nMORE} else {\n}\n",
    "for (String s : a) {\nBODY}\n",
    "switch (a) {\ncase 1:\nBODYcase 2:\ndefault:\nMORE}\n",
    "try (Reader r = open()) {\nBODY} catch (IOException | Error e) {\nMORE} finally {\n}\n",
    "a.forEach(b -> {\nBODY});\n",
    "do {\nBODY}\nwhile (a);\n",
).map(lambda text: f"{text}}}\n")
TYPESCRIPT = _file(
    'import a, { b as load } from "x";\n\nexport type T = { a: string };\n\n',
    "export async function run(a: number, ...rest: string[]): Promise<void> {\nBODY}\n\n",
    [
        "const NAME = load(TEXT);\n",
        "NAME.load(`${a} b`, TEXT);\n",
        "NAME = {\n\ta: TEXT,\n\tb,\n};\n",
        "let b = [\n\tTEXT\n\t, 2\n];\n",
    ],
    "if (a) {\nBODY} else if (b) {\nMORE}\nelse {\n}\n",
    "for (const b of a) {\nBODY}\n",
    "switch (a) {\ncase 1:\nBODYdefault:\nMORE}\n",
    "class Item extends Base {\n@load()\nrun() {\nBODY}\nstatic a = 1;\n}\n",
    "describe(TEXT, async () => {\nBODY}).then((b) => {\nMORE});\n",
    "const c = {\nrun() {\nBODY},\nb: 1,\nstop: function () {\nMORE},\n};\n",
)


@settings(max_examples=60, deadline=None)
@given(st.data(), python_files, st.sampled_from(["", "    ", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_what_is_left_of_python_parses(data, text, indentation, line_end):
    ast.parse(text)
    text = textwrap.indent(text, indentation).replace("\n", line_end)
    units = split_units(text, "code")
    check_units(text, units)
    kept = choices(data, units)
    prompt = check_choice(text, units, kept)
    if {unit.join for unit in units} == {Join.PYTHON} and kept:
        ast.parse(f"if 1:\n{prompt}" if indentation else prompt)


@pytest.mark.parametrize("files", [GO, JAVA, TYPESCRIPT], ids=["go", "java", "typescript"])
def test_what_is_left_of_code_in_braces_parses(files):
    @settings(max_examples=30, deadline=None)
    @given(st.data(), files)
    def check(data, text):
        units = split_units(text, "code")
        assert {unit.join for unit in units} == {Join.BRACES}
        check_units(text, units)
        kept = choices(data, units)
        prompt = check_choice(text, units, kept)
        assert not kept or parses(prompt, Join.BRACES)

    check()


@pytest.mark.parametrize("module", [ast, inspect, json.decoder, textwrap], ids=lambda module: module.__name__)
def test_what_is_left_of_the_standard_library_parses(module):
    text = inspect.getsource(module)[:MUCH]
    text = text[: text.rindex("\n\n\n")] if len(text) == MUCH else text
    units = split_units(text, "code")
    check_units(text, units)
    assert {unit.join for unit in units} == {Join.PYTHON}
    for index in range(0, len(units), 7):
        ast.parse(shown(text, units, [index, (index * 31) % len(units)]))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(st.sampled_from(["id", "name", "a", 'b"', "é,{"]) | texts, inner, max_size=8)
    ),
    max_leaves=25,
)
containers = st.lists(values, max_size=12) | st.dictionaries(texts, values, max_size=12)


def _subset(part, whole):
    """Whether a value is what is left of another one."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and _subset(value, whole[key]) for key, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        rest = iter(whole)
        return all(any(_subset(value, other) for other in rest) for value in part)
    return part == whole


@settings(max_examples=80, deadline=None)
@given(
    st.data(),
    containers,
    st.sampled_from([None, 2, "\t"]),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]),
    st.booleans(),
    st.sampled_from(["docs", "code"]),
)
def test_what_is_left_of_json_is_json(data, value, indent, separators, ascii_only, kind):
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
    units = split_units(text, kind)
    check_units(text, units)
    kept = choices(data, units)
    prompt = check_choice(text, units, kept)
    if kept:
        assert _subset(json.loads(prompt), value)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.lists(containers, min_size=2, max_size=5))
def test_what_is_left_of_json_lines_is_json_lines(data, lines):
    text = "\n".join(json.dumps(line) for line in lines)
    units = split_units(text, "docs")
    check_units(text, units)
    kept = choices(data, units)
    prompt = check_choice(text, units, kept)
    assert not kept or is_json(prompt)


blocks = st.one_of(
    st.sampled_from(
        [
            "# Heading\n",
            "One is here. Two is there!\nThree is not.\n",
            "- item. More.\n  - nested\n1. first\n",
            "| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | 4 |\n",
            "a | b\n- | -\n1 | 2\n",
            "> quoted\n",
            "    indented\n",
            "~~~ text\nraw | line\n~~~\n",
            "```\n",
            "user: Where?\n",
            "assistant (10:00): " + "There it is. " * 40 + "\n",
            "Note: that.\n",
            "\n",
            "\r\n",
            "東京。はい。\n",
            "\ud800 \0\x1c\u2028é\u200d",
        ]
    ),
    python_files.map(lambda code: f"```python\n{code}```\n"),
    containers.map(lambda value: f"```json\n{json.dumps(value, indent=1)}\n```\n"),
    texts,
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(blocks, max_size=8).map("".join), st.sampled_from(KINDS))
def test_units_of_any_document(data, text, kind):
    units = split_units(text, kind)
    check_units(text, units)
    check_choice(text, units, choices(data, units))
    everything = range(len(units))
    assert not units or render(text, layout_of(units), everything, "x") == text[units[0].start : units[-1].end]


@settings(max_examples=30, deadline=None)
@given(st.data(), st.lists(blocks, min_size=1, max_size=4).map("".join))
def test_no_part_of_a_turn_stands_without_its_speaker(data, text):
    talk = f"user: {text}\n"
    units = split_units(talk, "history")
    kept = choices(data, units)
    within = [index for index in kept if units[index].start < len(talk)]
    speakers = [
        unit for unit in within if talk[units[unit].start : units[unit].end].startswith(("user:", "assistant ("))
    ]
    assert not within or speakers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * MUCH, id="round-brackets"),
        pytest.param("{" * MUCH, id="braces"),
        pytest.param("|" * MUCH, id="bars"),
        pytest.param("|-|\n" * (MUCH // 4), id="rules-of-tables"),
        pytest.param("```\n" * (MUCH // 4), id="fences"),
        pytest.param("x = 1\n" * 10_000, id="statements"),
        pytest.param("a: b\n" * (MUCH // 5), id="labels"),
        pytest.param("".join(f"{' ' * depth}if x:\n" for depth in range(300)) + " " * 300 + "y\n", id="deep-python"),
        pytest.param("if (x) {\n" * 3_000 + "}\n" * 3_000, id="deep-braces"),
        pytest.param("[" * 30_000 + "]" * 30_000, id="json-too-deep"),
        pytest.param("[" * 500 + "1" + "]" * 500, id="deep-json"),
        pytest.param("[1]\n" * (MUCH // 4), id="json-lines"),
        pytest.param("import a\n" * 3_000 + "a\n" * 3_000, id="imports"),
        pytest.param(" " * MUCH, id="blanks"),
        pytest.param("\0" * MUCH, id="nul"),
        pytest.param("\ud800" * 2_000, id="lone-surrogates"),
        pytest.param("a\u2028b\x85c\r" * 5_000, id="line-separators"),
        pytest.param('{"a": ' + "9" * 5_000 + "}", id="number-too-long"),
    ],
)
def test_hostile_texts(text, kind):
    units = split_units(text, kind)
    check_units(text, units)
    check_choice(text, units, closure(units, range(0, len(units), 50)))
