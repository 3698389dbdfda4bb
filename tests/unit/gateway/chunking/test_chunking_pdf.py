"""PDF: text page by page, headings from the outline, and what is no readable PDF is named."""

import zlib
from collections.abc import Sequence
from itertools import count

import pytest

from services.gateway.chunking import Chunk, ChunkingError, ChunkingReason, SourceDocument, chunk
from services.gateway.chunking.bounds import PASSAGE
from services.gateway.chunking.pdf_reader import PdfLimits, read_pdf

SENTENCE = "This sentence has a number of words in it, and then it ends."
PARAGRAPH = [SENTENCE] * 10
LOCKED = "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + "00" * 32 + "> /U <" + "11" * 32 + "> >>"


def pdf(
    *pages: Sequence[str],
    outline: Sequence[tuple[int, str]] = (),
    title: str = "",
    trailer: str = "",
    drawing: bytes = b"",
) -> bytes:
    """A PDF of lines; `outline` names pages, from 0; `drawing` is packed, and stands in the place of all lines."""
    objects: dict[int, bytes] = {}
    numbers = count(10)
    page_numbers = []
    for lines in pages:
        text = "BT /F 11 Tf 14 TL 50 780 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        data = drawing or zlib.compress(text.encode("latin-1"))
        content, page = next(numbers), next(numbers)
        objects[content] = b"<< /Length %d /Filter /FlateDecode >> stream\n%b\nendstream" % (len(data), data)
        objects[page] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {content} 0 R "
            "/Resources << /Font << /F 3 0 R >> >> >>"
        ).encode()
        page_numbers.append(page)
    entries = [next(numbers) for _ in outline]
    for place, ((page_index, name), number) in enumerate(zip(outline, entries, strict=True)):
        following = f"/Next {entries[place + 1]} 0 R" if place + 1 < len(entries) else ""
        target = f"{page_numbers[page_index]} 0 R" if page_index < len(pages) else "null"
        objects[number] = f"<< /Title ({name}) /Parent 4 0 R /Dest [{target} /Fit] {following} >>".encode()
    kids = " ".join(f"{number} 0 R" for number in page_numbers)
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R >>"
    objects[2] = f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode()
    objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    first = f"/First {entries[0]} 0 R /Last {entries[-1]} 0 R" if entries else ""
    objects[4] = f"<< /Type /Outlines {first} >>".encode()
    objects[5] = f"<< /Title ({title}) >>".encode("latin-1")
    return _file(objects, trailer)


def _file(objects: dict[int, bytes], trailer: str) -> bytes:
    content = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(content)
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size = max(objects) + 1
    table = len(content)
    content += b"xref\n0 %d\n" % size
    for number in range(size):
        used = number in offsets
        content += b"%010d %05d %b\r\n" % (offsets.get(number, 0), 0 if used else 65535, b"n" if used else b"f")
    content += (
        f"trailer << /Size {size} /Root 1 0 R /Info 5 0 R /ID [<00><00>] {trailer} >>\nstartxref\n{table}\n%%EOF"
    ).encode()
    return bytes(content)


def cut(content: bytes, title: str = "Manual") -> list[Chunk]:
    return chunk(SourceDocument("docs/manual.pdf", title, "application/pdf", content))


def test_each_page_is_a_section_of_its_number() -> None:
    pieces = cut(pdf(PARAGRAPH, ["Second.", *PARAGRAPH]))
    assert [piece.title_path for piece in pieces] == [("Manual", "page 1"), ("Manual", "page 2")]
    assert pieces[1].text.startswith("Second.\nThis sentence")


def test_offsets_are_those_of_the_pages_with_a_form_feed_between() -> None:
    content = pdf(PARAGRAPH, PARAGRAPH, [], ["The end."])
    text = read_pdf(content).text
    assert text.count("\f") == 3
    assert all(text[piece.start : piece.end] == piece.text for piece in cut(content))


def test_small_pages_share_a_passage() -> None:
    (piece,) = cut(pdf(["Slide one."], ["Slide two."]))
    assert (piece.title_path, piece.text) == (("Manual",), "Slide one.\fSlide two.")


def test_headings_of_the_outline_are_the_title_path_from_where_they_stand() -> None:
    content = pdf(
        ["Preface", *PARAGRAPH],
        [*PARAGRAPH, "1  Herons", *PARAGRAPH, "2 Storks", *PARAGRAPH],
        ["On.", *PARAGRAPH],
        outline=[(0, "Preface"), (1, "1 Herons"), (1, "2 Storks")],
    )
    opening: dict[str, str] = {}
    for piece in cut(content):
        opening.setdefault(piece.title_path[1], piece.text[:8])
    assert opening == {"Preface": "Preface\n", "1 Herons": "1 Herons", "2 Storks": "2 Storks"}


def test_a_heading_that_its_page_does_not_repeat_begins_with_the_page() -> None:
    pieces = cut(pdf(PARAGRAPH, PARAGRAPH, outline=[(1, "Herons"), (7, "Nowhere")]))
    assert [piece.title_path[1:] for piece in pieces] == [(), ("Herons",)]


@pytest.mark.parametrize(
    ("given", "own", "expected"),
    [("Given", "Own", "Given"), ("", "Own", "Own"), ("", " ", "docs/manual.pdf")],
    ids=["given", "its own", "id"],
)
def test_the_title_is_the_given_one_or_its_own_or_the_id(given: str, own: str, expected: str) -> None:
    (piece,) = cut(pdf(["Text."], title=own), given)
    assert piece.title_path[0] == expected


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        pytest.param(["caf\xe9 \x80"], "café €", id="accents"),
        pytest.param(["an exam-", "ple of it"], "an example of it", id="a hyphen at a line's end"),
        pytest.param(["a-b"], "a-b", id="a hyphen in a word"),
    ],
)
def test_the_text_is_whole_words_of_the_page(lines: list[str], text: str) -> None:
    (piece,) = cut(pdf(lines))
    assert piece.text == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "UNREADABLE_DOCUMENT", id="no byte"),
        pytest.param(b"# A text\n", "UNREADABLE_DOCUMENT", id="a text"),
        pytest.param(b"%PDF-1.7\n" + b"\0\xff" * 10_000, "UNREADABLE_DOCUMENT", id="noise"),
        pytest.param(pdf(PARAGRAPH)[:300], "UNREADABLE_DOCUMENT", id="cut off"),
        pytest.param(pdf(PARAGRAPH, trailer=LOCKED), "UNREADABLE_DOCUMENT", id="locked"),
        pytest.param(pdf(), "UNREADABLE_DOCUMENT", id="no page"),
        pytest.param(pdf([], []), "EMPTY_DOCUMENT", id="no text, a scan"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(ChunkingError, match=r"^The document [^\n]*\.$") as caught:
        cut(content)
    assert caught.value.reason == ChunkingReason(reason)


def test_a_locked_document_says_so() -> None:
    with pytest.raises(ChunkingError, match="password"):
        cut(pdf(PARAGRAPH, trailer=LOCKED))


def unpacking(size: int) -> bytes:
    """A small PDF whose page unpacks to that many bytes."""
    packer = zlib.compressobj(9)
    part = b"1 1 m 2 2 l S\n" * 75_000
    data = b"".join(packer.compress(part) for _ in range(size // len(part))) + packer.flush()
    return pdf([SENTENCE], drawing=data)


@pytest.mark.parametrize(
    ("content", "limits", "what"),
    [
        pytest.param(pdf([], [], []), PdfLimits(pages=2), "has 3 pages, more than 2", id="pages"),
        pytest.param(
            pdf([SENTENCE], [SENTENCE]), PdfLimits(characters=100), "has more than 100 characters", id="characters"
        ),
        pytest.param(pdf(PARAGRAPH), PdfLimits(seconds=1e-3), r"takes more than 0\.001 s", id="time"),
        pytest.param(unpacking(200_000_000), PdfLimits(memory=256 << 20), "more than 256 MiB", id="memory"),
    ],
)
def test_what_takes_too_much_is_refused(content: bytes, limits: PdfLimits, what: str) -> None:
    with pytest.raises(ChunkingError, match=what) as caught:
        read_pdf(content, limits)
    assert caught.value.reason is ChunkingReason.UNREADABLE_DOCUMENT


def test_no_passage_exceeds_the_bound() -> None:
    pieces = cut(pdf(["word " * 400] * 5, ["x" * 5_000]))
    assert max(len(piece.text) for piece in pieces) <= PASSAGE.maximum


def test_a_damaged_document_is_read_or_refused() -> None:
    whole = pdf(PARAGRAPH, PARAGRAPH, outline=[(0, "A"), (1, "B")])
    outcomes = {outcome(whole[:place] + b"\x55" + whole[place + 1 :]) for place in range(1, len(whole), 90)}
    assert outcomes <= {None, ChunkingReason.UNREADABLE_DOCUMENT, ChunkingReason.EMPTY_DOCUMENT}


def outcome(content: bytes) -> ChunkingReason | None:
    """The reason of a refusal, or None."""
    try:
        cut(content)
    except ChunkingError as error:
        return error.reason
    return None
