import textwrap

import pytest

from services.gateway.chunking import Chunk, SourceDocument, chunk
from services.gateway.chunking.bounds import PASSAGE
from services.text.syntax import PARSED


def cut(text: str) -> list[Chunk]:
    return chunk(SourceDocument("pkg/mod.py", "", "text/x-python", text.encode()))


def function(name: str, lines: int = 8, indent: str = "") -> str:
    body = "\n".join(f"    value_{index} = compute({index}, 'something')" for index in range(lines))
    return textwrap.indent(f"def {name}(self):\n{body}\n", indent)


SMALL_CLASS = textwrap.dedent(
    '''
    @frozen
    class Point:
        """A place."""

        x: int
        y: int

        def norm(self) -> float:
            return 1.0
    '''
).lstrip()
LARGE_CLASS = "\n".join(
    [
        "# What it is for.\n@decorated\nclass Store(Base):",
        '    """Keeps things for as long as they are needed, and no longer than that."""\n',
        "    limit = 3\n",
        "    # How to put.\n    @traced\n    @retried(\n        times=3,\n    )",
        function("put", 12, "    "),
        function("get", 12, "    "),
    ]
)


def test_each_function_is_a_passage_of_its_own_name() -> None:
    pieces = cut('"""Module."""\n\nimport os\n\n\n' + "\n\n".join(function(name) for name in ("first", "second")))
    assert [piece.title_path for piece in pieces] == [
        ("pkg/mod.py",),
        ("pkg/mod.py", "first"),
        ("pkg/mod.py", "second"),
    ]
    assert pieces[0].text == '"""Module."""\n\nimport os'
    assert pieces[1].text.startswith("def first")


def test_a_class_that_fits_is_one_passage() -> None:
    (piece,) = cut(SMALL_CLASS)
    assert (piece.title_path, piece.text) == (("pkg/mod.py", "Point"), SMALL_CLASS.rstrip())


def test_a_large_class_is_cut_between_methods() -> None:
    pieces = cut(LARGE_CLASS)
    assert [piece.title_path[1:] for piece in pieces] == [("Store",), ("Store", "put"), ("Store", "get")]
    assert pieces[0].text.startswith("# What it is for.\n@decorated\nclass Store")
    assert pieces[0].text.endswith("limit = 3")
    assert pieces[1].text.startswith("    # How to put.\n    @traced\n    @retried(")
    assert pieces[2].text.startswith("    def get")


@pytest.mark.parametrize(
    ("above", "belongs"),
    [
        pytest.param("# Why.\n", True, id="directly above"),
        pytest.param("# ---- Part ----\n\n", True, id="a blank line between"),
        pytest.param("    # of the function before\n", False, id="deeper"),
        pytest.param("x = 1  # beside code\n", False, id="beside code"),
    ],
)
def test_comments_above_a_definition_belong_to_it(above: str, belongs: bool) -> None:
    pieces = cut(f"{function('first')}\n{above}{function('second')}")
    assert pieces[-1].title_path[-1] == "second"
    assert (above.strip() in pieces[-1].text) is belongs


def test_a_long_function_is_cut_between_statements_under_its_name() -> None:
    block = "    if ready:\n        first()\n        second()\n    else:\n        third()\n"
    pieces = cut("def long():\n" + block * 40)
    assert len(pieces) > 1
    assert {piece.title_path for piece in pieces} == {("pkg/mod.py", "long")}
    assert all(piece.text.startswith("    if ready") for piece in pieces[1:])


@pytest.mark.parametrize(
    "opening",
    ["if a:", "while a:", "for a in b:", "with a:", "try:", "async def inner():", "class Inner:"],
)
def test_a_long_statement_is_cut_inside(opening: str) -> None:
    inner = "\n".join(f"            call_{index}(argument)" for index in range(100))
    closing = "\n        finally:\n            pass" if opening == "try:" else ""
    pieces = cut(f"class A:\n    async def f():\n        {opening}\n{inner}{closing}\n")
    assert len(pieces) > 1
    assert {piece.title_path for piece in pieces} == {("pkg/mod.py", "A", "f")}
    assert all(piece.text.startswith("            call_") for piece in pieces[1:])


def test_the_branches_of_a_long_condition_are_equals() -> None:
    branches = "".join(f"    elif a == {index}:\n        return compute({index})\n" for index in range(800))
    pieces = cut(f"def f(a):\n    if a:\n        return 0\n{branches}")
    assert {piece.title_path for piece in pieces} == {("pkg/mod.py", "f")}
    assert all(piece.text.startswith("    elif") for piece in pieces[1:])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("def broken(:\n    pass\n", id="syntax error"),
        pytest.param("print 'the language before'\n", id="Python 2"),
        pytest.param("    indented = 1\n  back = 2\n", id="fragment"),
        pytest.param("x = " + "(" * 3_000 + ")" * 3_000, id="parentheses"),
        pytest.param("x = " + "-" * 50_000 + "1", id="unary operators"),
        pytest.param("x = 1" + " + 1" * 20_000, id="operators"),
        pytest.param("x = a" + ".b" * 20_000, id="attributes"),
        pytest.param("if a:\n x\n" + "elif b:\n x\n" * 3_000, id="branches"),
        pytest.param("".join(" " * depth + "if a:\n" for depth in range(150)) + " " * 150 + "x", id="indentation"),
        pytest.param("x = 1\n" * (PARSED // 6 + 1), id="too large"),
        pytest.param("\ufeffx = 1\n", id="byte order mark"),
        pytest.param("x = 1\n\x0c\ny = '''\n# no comment\n'''\nz = 2; w = 3\n", id="form feed, strings, semicolons"),
        pytest.param("# only\n\n# comments\n", id="only comments"),
        pytest.param("class A:\r\n    x = 1\r\r    y = 2\r\n", id="mixed line ends"),
        pytest.param(
            "".join(" " * depth + f"class A{depth}:\n" for depth in range(90)) + " " * 90 + f"x = '{'y' * 2000}'",
            id="classes",
        ),
    ],
)
def test_whatever_it_is_it_gets_in_whole(text: str) -> None:
    pieces = cut(text)
    assert "".join("".join(piece.text for piece in pieces).split()) == "".join(text.removeprefix("\ufeff").split())
    assert max(len(piece.text) for piece in pieces) <= PASSAGE.maximum


def test_what_does_not_parse_is_cut_between_paragraphs() -> None:
    paragraph = "print 'x'\n" * 40
    pieces = cut(f"{paragraph}\n{paragraph}\n{paragraph}")
    assert {piece.title_path for piece in pieces} == {("pkg/mod.py",)}
    assert [piece.text for piece in pieces] == [paragraph.strip()] * 3 or len(pieces) == 2
