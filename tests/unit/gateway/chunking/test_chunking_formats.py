import pytest

from services.gateway.chunking import FORMATS, ChunkingError, ChunkingReason, Kind, SourceDocument, chunk, format_of

ENOUGH = "A sentence that says something. "


def document(content: str | bytes, content_type: str = "text/plain", title: str = "") -> SourceDocument:
    return SourceDocument("docs/a", title, content_type, content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        pytest.param("text/plain", "docs", id="plain"),
        pytest.param("text/markdown", "docs", id="markdown"),
        pytest.param("text/html", "docs", id="html"),
        pytest.param("application/pdf", "docs", id="pdf"),
        pytest.param("text/x-python", "code", id="python"),
        pytest.param("text/javascript", "code", id="javascript"),
        pytest.param("text/typescript", "code", id="typescript"),
        pytest.param("text/x-go", "code", id="go"),
        pytest.param("text/x-java", "code", id="java"),
        pytest.param("application/x-ndjson", "history", id="conversation"),
        pytest.param("Text/Markdown; charset=utf-8", "docs", id="case and parameters"),
    ],
)
def test_a_content_type_says_the_kind_which_is_the_default_source(content_type: str, kind: str) -> None:
    assert format_of(content_type).kind == kind


def test_every_kind_has_a_format() -> None:
    assert {entry.kind for entry in FORMATS.values()} == set(Kind)


@pytest.mark.parametrize(
    ("content_type", "content", "reason"),
    [
        pytest.param("text/plain", "", "EMPTY_DOCUMENT", id="no byte"),
        pytest.param("text/plain", " \n\t\u00a0\r\n", "EMPTY_DOCUMENT", id="white space"),
        pytest.param("text/plain", "\ufeff\n", "EMPTY_DOCUMENT", id="byte order mark"),
        pytest.param("text/markdown", "---\ntitle: x\n---\n", "EMPTY_DOCUMENT", id="front matter only"),
        pytest.param("text/html", "<body><script>let a</script><!-- b --></body>", "EMPTY_DOCUMENT", id="script only"),
        pytest.param("text/html", "<nav>Home</nav>", "EMPTY_DOCUMENT", id="navigation only"),
        pytest.param("application/x-ndjson", '{"role":"tool","content":null}\n', "EMPTY_DOCUMENT", id="no turn's text"),
        pytest.param("text/plain", "PK\x03\x04\0\0", "BINARY_CONTENT", id="binary"),
        pytest.param("text/x-python", "x = 1\0", "BINARY_CONTENT", id="binary at the end"),
        pytest.param("text/markdown", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "BINARY_CONTENT", id="a picture"),
        pytest.param("text/markdown", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "BROKEN_ENCODING", id="binary without NUL"),
        pytest.param("text/plain", "café".encode("latin-1"), "BROKEN_ENCODING", id="another encoding"),
        pytest.param("text/plain", "text".encode("utf-16"), "BROKEN_ENCODING", id="UTF-16"),
        pytest.param("text/plain", b"\xed\xa0\x80", "BROKEN_ENCODING", id="a lone surrogate"),
        pytest.param("text/plain", b"cut off \xe2\x82", "BROKEN_ENCODING", id="half a character"),
        pytest.param("application/pdf", "text", "UNREADABLE_DOCUMENT", id="no PDF"),
        pytest.param("application/pdf", "", "UNREADABLE_DOCUMENT", id="PDF of no byte"),
        pytest.param("application/json", "{}", "UNSUPPORTED_CONTENT_TYPE", id="unknown type"),
        pytest.param("", "text", "UNSUPPORTED_CONTENT_TYPE", id="no type"),
    ],
)
def test_what_cannot_be_cut_has_a_reason_and_one_sentence(content_type: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(ChunkingError, match=r"^[A-Z][^\n]*\.$") as caught:
        chunk(document(content, content_type))
    assert caught.value.reason == ChunkingReason(reason)


def test_a_wrong_encoding_is_named_by_its_place() -> None:
    with pytest.raises(ChunkingError, match=r"^The content is not UTF-8 at byte 5\.$") as caught:
        chunk(document("aéb: é".encode()[:5] + b"\xff"))
    assert caught.value.metadata == {"offset": "5"}


@pytest.mark.parametrize(
    ("content_type", "text", "title", "expected"),
    [
        pytest.param(
            "text/markdown", "[a badge]\n\n# The *first* one\n\ntext", "", "The first one", id="first heading"
        ),
        pytest.param("text/markdown", "text", "", "docs/a", id="id"),
        pytest.param("text/markdown", "# First\n\ntext", "Given", "Given", id="given"),
        pytest.param("text/html", "<title>Page</title><h2>Head &amp; more</h2>x", "", "Head & more", id="html heading"),
        pytest.param("text/html", "<title>A &lt; b</title><p>x", "", "A < b", id="html title"),
        pytest.param("text/x-python", "# not a heading\nx = 1\n", "", "docs/a", id="code"),
    ],
)
def test_the_title_is_the_given_one_or_the_first_heading_or_the_id(
    content_type: str, text: str, title: str, expected: str
) -> None:
    assert {piece.title_path[0] for piece in chunk(document(text, content_type, title))} == {expected}


def test_plain_text_is_cut_between_paragraphs_then_between_sentences() -> None:
    first, second = ENOUGH * 20, ENOUGH * 60
    pieces = [piece.text for piece in chunk(document(f"{first}\n\n\n{second}"))]
    assert pieces[0] == first.strip()
    assert all(piece.endswith("something.") for piece in pieces)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_line_end_is_no_paragraph_in_any_system(newline: str) -> None:
    text = f"A sentence that goes on for some time and then{newline}over the line.{newline}" * 100
    pieces = [piece.text for piece in chunk(document(text))]
    assert len(pieces) > 1
    assert all(piece.startswith("A sentence") and piece.endswith("over the line.") for piece in pieces)


def test_a_paragraph_of_any_length_is_cut_between_sentences() -> None:
    pieces = [piece.text for piece in chunk(document(f"A sentence {'of words ' * 40}ends. " * 3_000))]
    assert all(piece.startswith("A sentence") and piece.endswith("ends.") for piece in pieces)
    assert sum(piece.count("ends.") for piece in pieces) == 3_000
