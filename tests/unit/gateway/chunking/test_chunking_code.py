"""Code of every language: sections by class and function, comments with what follows them, whatever it is gets in."""

import textwrap
from itertools import pairwise

import pytest

from services.gateway.chunking import Chunk, SourceDocument, chunk
from services.gateway.chunking.bounds import PASSAGE
from services.text.syntax import PARSED

LANGUAGES = ["text/x-python", "text/javascript", "text/typescript", "text/x-go", "text/x-java"]
LONG = "\n".join(f'    call{index}(argument, "something {index}");' for index in range(20))
LONGER = "\n".join(f'        call{index}(argument, "something {index}");' for index in range(40))


def cut(content_type: str, text: str) -> list[Chunk]:
    return chunk(SourceDocument("src/mod", "", content_type, text.encode()))


def names(content_type: str, text: str) -> list[str]:
    return [".".join(piece.title_path[1:]) for piece in cut(content_type, text)]


@pytest.mark.parametrize(
    ("content_type", "text", "name"),
    [
        pytest.param("text/javascript", f"function load() {{\n{LONG}\n}}", "load", id="js function"),
        pytest.param("text/javascript", f"export async function load() {{\n{LONG}\n}}", "load", id="js export"),
        pytest.param("text/javascript", f"function* load() {{\n{LONG}\n}}", "load", id="js generator"),
        pytest.param("text/javascript", f"const load = async () => {{\n{LONG}\n}};", "load", id="js arrow function"),
        pytest.param("text/javascript", f"export const load = () => {{\n{LONG}\n}};", "load", id="js exported arrow"),
        pytest.param("text/javascript", f"export default () => {{\n{LONG}\n}};", "default", id="js default"),
        pytest.param(
            "text/javascript", f"exports.load = function () {{\n{LONG}\n}};", "exports.load", id="js commonjs"
        ),
        pytest.param("text/javascript", f"A.prototype.b = () => {{\n{LONG}\n}};", "A.prototype.b", id="js prototype"),
        pytest.param("text/javascript", f"@a\nclass Load {{\n m() {{\n{LONG}\n }}\n}}", "Load", id="js class"),
        pytest.param(
            "text/javascript", f"const App = () => (\n<ul className='a'>\n{'<li>a</li>' * 60}\n</ul>);", "App", id="jsx"
        ),
        pytest.param("text/javascript", f"const a = 1, b = 2;\n{LONG}", "", id="js no function"),
        pytest.param("text/javascript", f"const é = 'ü😀';\nfunction größe() {{\n{LONG}\n}}", "größe", id="js names"),
        pytest.param("text/typescript", f"interface Load<T> {{\n{'  a: string;' * 60}\n}}", "Load", id="ts interface"),
        pytest.param("text/typescript", f"export type Load =\n{'  | string[]' * 60};", "Load", id="ts type"),
        pytest.param("text/typescript", f"export enum Load {{\n{' A, B, C,' * 60}\n}}", "Load", id="ts enum"),
        pytest.param("text/typescript", f"const x = <T>y;\nfunction load(a: T) {{\n{LONG}\n}}", "load", id="ts cast"),
        pytest.param(
            "text/typescript",
            f"const App: FC<P> = (p: P) => {{\n{LONG}\n return <b>{{p.a}}</b>;\n}};",
            "App",
            id="tsx",
        ),
        pytest.param(
            "text/typescript", f"declare function load(\n{'a: string,' * 80}\n): void;", "load", id="ts declare"
        ),
        pytest.param("text/x-go", f"func Load() {{\n{LONG}\n}}", "Load", id="go function"),
        pytest.param("text/x-go", f"func (s *Store[T]) Load() {{\n{LONG}\n}}", "Store.Load", id="go method"),
        pytest.param("text/x-go", f"type Load struct {{\n{'  A int; B string' * 60}\n}}", "Load", id="go type"),
        pytest.param("text/x-java", f"@Deprecated class Load {{ void m() {{\n{LONG}\n}} }}", "Load", id="java class"),
        pytest.param("text/x-java", f"record Load(int a) {{ void m() {{\n{LONG}\n}} }}", "Load", id="java record"),
        pytest.param("text/x-python", f"async def load():\n{LONG}", "load", id="python function"),
    ],
)
def test_a_definition_is_a_passage_of_its_name(content_type: str, text: str, name: str) -> None:
    assert names(content_type, text)[-1] == name


LARGE_CLASSES = {
    "text/x-python": (
        "# Why.\n@frozen\nclass Store:\n    size = 1\n\n{}",
        "    # How.\n    @traced\n    def {}(self):\n{}\n",
    ),
    "text/javascript": (
        "/** Why. */\nclass Store {{\n    size = 1;\n\n{}\n}}",
        "    // How.\n    @traced\n    {}() {{\n{}\n    }}\n",
    ),
    "text/typescript": (
        "/** Why. */\n@Frozen()\nexport abstract class Store<T> {{\n    @In() size: number;\n\n{}\n}}",
        "    // How.\n    @traced\n    private {}(a: string): void {{\n{}\n    }}\n",
    ),
    "text/x-java": (
        "/** Why. */\n@Frozen\npublic class Store<T> extends Base {{\n    int size; // One.\n\n{}\n}}",
        "    // How.\n    @Traced\n    public void {}(int a) {{\n{}\n    }}\n",
    ),
}


@pytest.mark.parametrize("content_type", LARGE_CLASSES)
def test_a_large_class_is_cut_between_methods_with_what_stands_above_them(content_type: str) -> None:
    shell, method = LARGE_CLASSES[content_type]
    text = shell.format("\n".join(method.format(name, textwrap.indent(LONG, "    ")) for name in ("put", "get")))
    pieces = cut(content_type, text)
    assert [piece.title_path[1:] for piece in pieces] == [("Store",), ("Store", "put"), ("Store", "get")]
    assert pieces[0].text.startswith(text.splitlines()[0])
    assert "size" in pieces[0].text
    assert all(piece.text.lstrip("\n").startswith(method.splitlines()[0]) for piece in pieces[1:])


@pytest.mark.parametrize(
    ("content_type", "text", "expected"),
    [
        pytest.param(
            "text/typescript",
            f"namespace N {{\n export class A {{\n m() {{\n{LONGER}\n }}\n f = () => {{\n{LONG}\n }}\n }}\n}}",
            {"N.A.m", "N.A.f"},
            id="namespace, class, method, field",
        ),
        pytest.param(
            "text/x-java",
            f"class A {{\n enum E {{\n X, Y;\n void f() {{\n{LONG}\n }}\n void g() {{\n{LONG}\n }} }}\n}}",
            {"A.E", "A.E.f", "A.E.g"},
            id="class, enum, method",
        ),
        pytest.param(
            "text/javascript",
            f"const A = class extends B {{\n m() {{\n{LONG}\n }}\n n() {{\n{LONG}\n }}\n}};",
            {"A.m", "A.n"},
            id="class in a constant",
        ),
        pytest.param(
            "text/x-go",
            f"type (\n A int\n B int\n)\n\nfunc F() {{\n{LONG}\n}}\n",
            {"", "F"},
            id="a group of types has no one name",
        ),
    ],
)
def test_members_stand_under_all_that_is_around_them(content_type: str, text: str, expected: set[str]) -> None:
    assert set(names(content_type, text)) == expected


@pytest.mark.parametrize("content_type", ["text/javascript", "text/typescript", "text/x-go", "text/x-java"])
def test_a_long_function_is_cut_between_statements(content_type: str) -> None:
    head = {"text/x-go": "func f() {", "text/x-java": "class A { void f() {"}.get(content_type, "function f() {")
    statement = "    if (ready) {\n        first();\n        second();\n    } else {\n        third();\n    }\n"
    pieces = cut(content_type, f"{head}\n{statement * 40}}}" + "}" * head.count("class"))
    assert len(pieces) > 1
    assert {piece.title_path[-1] for piece in pieces} == {"f"}
    assert all(piece.text.startswith("    if (ready)") for piece in pieces[1:])


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        pytest.param("text/javascript", "function first( {\n}\n", id="js"),
        pytest.param("text/x-python", "def first(:\n    pass\n\n\n", id="python"),
        pytest.param("text/x-go", "func first( {\n}\n\n", id="go"),
    ],
)
def test_a_syntax_error_costs_only_what_is_around_it(content_type: str, text: str) -> None:
    head = {"text/x-go": "func second() {", "text/x-python": "def second():"}.get(content_type, "function second() {")
    end = "" if content_type == "text/x-python" else "\n}\n"
    assert names(content_type, f"{text}{head}\n{LONG}{end}")[-1] == "second"


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        pytest.param(
            "".join(f"function f{n}(a){{return compute(a,{n})}}" for n in range(300)), "function", id="functions"
        ),
        pytest.param(f"!function(){{{'for(;;){a(1,2.5);b[c]=d}' * 200}}}()", "for", id="statements in one function"),
    ],
)
def test_minified_code_is_cut_between_statements(text: str, statement: str) -> None:
    pieces = cut("text/javascript", text)
    assert len(pieces) > 3
    assert all(piece.text.startswith(statement) for piece in pieces[1:])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte order mark"])
def test_offsets_are_code_points_in_any_system(mark: str, newline: str) -> None:
    text = mark + f"// größe 😀\nfunction a() {{\n{LONG}\n}}\n\n// 😀\nfunction b() {{\n{LONG}\n}}\n".replace(
        "\n", newline
    )
    pieces = cut("text/javascript", text)
    assert [piece.title_path[-1] for piece in pieces] == ["a", "b"]
    assert all(text[piece.start : piece.end] == piece.text for piece in pieces)
    assert pieces[1].text.startswith("// 😀")


@pytest.mark.parametrize("content_type", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 20_000 + ")" * 20_000, id="parentheses"),
        pytest.param("{\n" * 20_000, id="braces never closed"),
        pytest.param("f(\n" * 10_000, id="calls never closed"),
        pytest.param("class A {\n int f() {\n" * 3_000, id="classes in functions"),
        pytest.param("class A {\n" * 5_000 + "}\n" * 5_000, id="classes in classes"),
        pytest.param("if (a) {\n b\n} else " * 3_000, id="branches"),
        pytest.param("a\n.b()\n" * 10_000, id="a chain of calls"),
        pytest.param("'\"" * 20_000, id="quotes"),
        pytest.param("a=>" * 15_000, id="ambiguous"),
        pytest.param("<a" * 20_000, id="tags never closed"),
        pytest.param("/*" * 20_000, id="comments never closed"),
        pytest.param("// a comment\n" * 4_000, id="only comments"),
        pytest.param(" " * 30_000 + "x", id="white space"),
        pytest.param("x = 1;\n" * (PARSED // 7 + 1), id="too large for a tree"),
        pytest.param("漢字 = é;\u2028\u00a0😀\n" * 2_000, id="outside ASCII"),
    ],
)
def test_whatever_it_is_it_gets_in_whole(content_type: str, text: str) -> None:
    pieces = cut(content_type, text)
    assert "".join("".join(piece.text for piece in pieces).split()) == "".join(text.split())
    assert max(len(piece.text) for piece in pieces) <= PASSAGE.maximum
    assert all(before.end <= after.start for before, after in pairwise(pieces))
