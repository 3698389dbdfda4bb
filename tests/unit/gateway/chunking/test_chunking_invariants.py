"""What holds for every document."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.chunking import FORMATS, Chunk, ChunkingError, ChunkingReason, SourceDocument, chunk
from services.gateway.chunking.bounds import PASSAGE

CODE = ["text/x-python", "text/javascript", "text/typescript", "text/x-go", "text/x-java"]
VERBATIM = ["text/plain", "text/markdown", *CODE]
MAX_BYTES = 4 * 1024 * 1024
MARKUP = [
    *("\n", "\n\n", "\r\n", "\r", " ", "    ", "\t", "\ufeff", "\u2028", "\x0c", "é", "漢字。", "e\u0301"),
    *(
        "# ",
        "## ",
        "===\n",
        "---\n",
        "- ",
        "1. ",
        "> ",
        "```\n",
        "~~~",
        "| a | b |\n|---|---|\n",
        "[a]: b\n",
        "<!--",
        "***",
    ),
    *(
        "def f():\n",
        "class A:\n",
        "    x = 1\n",
        "@d\n",
        "# c\n",
        "'''",
        "if a:\n",
        "else:\n",
        "return (",
        "; ",
        "\\\n",
    ),
    *(
        "function f() {",
        "class A {",
        "}",
        "/** c */",
        "// c\n",
        "export ",
        "`${",
        "=> ",
        "func (s *S) M() {",
        "type T ",
    ),
    *("interface I {", "public void m() {", "@A\n", "import a\n", "case 1:\n", "({", "});\n", '"', "static "),
    *("<p>", "</p>", "<div>", "</div>", "<h2>", "<table>", "<tr>", "<td>", "</table>", "<pre>", "<main>", "<nav>"),
    *("<script>", "</script>", "<a b='", "-->", "&amp;", "&#", "<", ">", "Is it? ", "It is. ", "word " * 60, "x" * 700),
]
texts = st.lists(st.sampled_from(MARKUP) | st.text(max_size=8), max_size=60).map(
    lambda parts: "".join(parts).replace("\0", "")
)
paragraphs = st.lists(
    st.integers(1, 60).map(lambda count: "A sentence of a paragraph. " * count), min_size=1, max_size=30
)

unhurried = settings(deadline=None)


def cut(text: str, content_type: str) -> list[Chunk]:
    try:
        return chunk(SourceDocument("id", "Title", content_type, text.encode()))
    except ChunkingError as error:
        if error.reason is not ChunkingReason.EMPTY_DOCUMENT:
            raise
        return []


def solid(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("content_type", VERBATIM)
@unhurried
@given(text=texts)
def test_passages_are_verbatim_in_order_and_disjoint(content_type: str, text: str) -> None:
    pieces = cut(text, content_type)
    assert all(piece.text == text[piece.start : piece.end] for piece in pieces)
    assert all(before.end <= after.start for before, after in pairwise(pieces))


@pytest.mark.parametrize("content_type", ["text/plain", *CODE])
@unhurried
@given(text=texts)
def test_every_character_is_in_a_passage(content_type: str, text: str) -> None:
    assert solid("".join(piece.text for piece in cut(text, content_type))) == solid(text.removeprefix("\ufeff"))


@unhurried
@given(text=texts)
def test_every_character_of_markdown_without_front_matter_is_in_a_passage(text: str) -> None:
    body = f"Not front matter.\n\n{text}"
    assert solid("".join(piece.text for piece in cut(body, "text/markdown"))) == solid(body)


@pytest.mark.parametrize("content_type", [*VERBATIM, "text/html"])
@unhurried
@given(text=texts)
def test_passages_have_text_within_the_bound_and_a_title(content_type: str, text: str) -> None:
    for piece in cut(text, content_type):
        assert piece.text.strip()
        assert len(piece.text) <= PASSAGE.maximum
        assert 0 <= piece.start < piece.end <= len(text)
        assert piece.title_path[0] == "Title"


@unhurried
@given(text=texts)
def test_html_passages_are_in_the_order_of_the_source(text: str) -> None:
    pieces = cut(text, "text/html")
    assert all(before.start <= after.start and before.end <= after.end for before, after in pairwise(pieces))


@unhurried
@given(turns=st.lists(st.tuples(st.sampled_from(["Ann", "Bob"]), texts), max_size=20))
def test_every_turn_is_in_a_passage_within_the_lines_it_names(turns: list[tuple[str, str]]) -> None:
    text = "".join(json.dumps({"speaker": speaker, "text": said}) + "\n" for speaker, said in turns)
    pieces = cut(text, "application/x-ndjson")
    assert all(len(piece.text) <= PASSAGE.maximum for piece in pieces)
    assert all(before.start <= after.start for before, after in pairwise(pieces))
    for piece in pieces:
        lines = [json.loads(line) for line in text[piece.start : piece.end].split("\n")]
        assert piece.text.startswith(f"{lines[0]['speaker']}: ")
    assert sum(map(len, map(solid, (said for _, said in turns)))) <= sum(len(solid(piece.text)) for piece in pieces)


@unhurried
@given(parts=paragraphs)
def test_no_sentence_is_cut(parts: list[str]) -> None:
    for piece in cut("\n\n".join(parts), "text/plain"):
        assert piece.text.startswith("A sentence")
        assert piece.text.endswith("paragraph.")


@pytest.mark.parametrize("content_type", [*VERBATIM, "text/html"])
@unhurried
@given(text=texts)
def test_the_same_document_is_cut_alike_every_time(content_type: str, text: str) -> None:
    assert cut(text, content_type) == cut(text, content_type)


@pytest.mark.parametrize("content_type", ["text/plain", "text/markdown", "text/html", "text/x-go"])
@pytest.mark.parametrize("piece", ["x", "word. ", "a = b; ", "\u6f22"], ids=["letters", "words", "code", "ideographs"])
def test_one_line_as_long_as_a_document_may_be_is_cut(content_type: str, piece: str) -> None:
    text = piece * (MAX_BYTES // len(piece.encode()))
    pieces = cut(text, content_type)
    assert all(len(one.text) <= PASSAGE.maximum for one in pieces)
    assert sum(len(solid(one.text)) for one in pieces) == len(solid(text))


def test_one_turn_as_long_as_a_document_may_be_is_cut() -> None:
    text = json.dumps({"speaker": "Ann", "text": "word " * (MAX_BYTES // 5 - 10)})
    pieces = cut(text, "application/x-ndjson")
    assert all(one.text.startswith("Ann: ") and len(one.text) <= PASSAGE.maximum for one in pieces)


@pytest.mark.parametrize(
    "content_type", [content_type for content_type in FORMATS if content_type != "application/pdf"]
)
@unhurried
@given(content=st.binary(max_size=200))
def test_any_bytes_are_cut_or_refused(content_type: str, content: bytes) -> None:
    try:
        assert chunk(SourceDocument("id", "", content_type, content))
    except ChunkingError as error:
        assert error.reason is not ChunkingReason.UNSUPPORTED_CONTENT_TYPE  # noqa: PT017  # either is right
