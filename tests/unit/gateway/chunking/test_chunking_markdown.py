import textwrap
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.gateway.chunking import Chunk, SourceDocument, chunk
from services.gateway.chunking.bounds import PASSAGE, SMALL
from services.gateway.chunking.markdown import SLICE

SENTENCE = "This sentence has a number of words in it, and then it ends. "
PARAGRAPH = (SENTENCE * 5).strip()


def cut(text: str, title: str = "Guide") -> list[Chunk]:
    return chunk(SourceDocument("guide.md", title, "text/markdown", text.encode()))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(PARAGRAPH, [("Guide",)], id="no heading"),
        pytest.param(f"# Guide\n\n{PARAGRAPH}", [("Guide",)], id="a heading equal to the title"),
        pytest.param(f"# A\n\n{PARAGRAPH}\n\n## B\n\n{PARAGRAPH}", [("Guide", "A"), ("Guide", "A", "B")], id="nested"),
        pytest.param(
            f"# A\n\n## B\n\n{PARAGRAPH}\n\n# C\n\n{PARAGRAPH}", [("Guide", "A", "B"), ("Guide", "C")], id="back out"
        ),
        pytest.param(f"A\n=\n{PARAGRAPH}\n\nB\n-\n{PARAGRAPH}", [("Guide", "A"), ("Guide", "A", "B")], id="underlined"),
        pytest.param(
            f"### A\n\n{PARAGRAPH}\n\n# B\n\n{PARAGRAPH}", [("Guide", "A"), ("Guide", "B")], id="levels left out"
        ),
        pytest.param(f"```sh\n# no heading\n```\n\n{PARAGRAPH}", [("Guide",)], id="a comment in a fence"),
        pytest.param(f"> # quoted\n\n{PARAGRAPH}", [("Guide",)], id="quoted"),
        pytest.param(
            f"# [A](http://x) `b_c` *d* ![e](f)\n\n{PARAGRAPH}", [("Guide", "A b_c d e")], id="markup in a heading"
        ),
        pytest.param(f"{PARAGRAPH}\n\n# A\n\n{PARAGRAPH}", [("Guide",), ("Guide", "A")], id="text before the first"),
    ],
)
def test_headings_are_the_title_path(text: str, paths: list[tuple[str, ...]]) -> None:
    assert [piece.title_path for piece in cut(text)] == paths


def test_a_heading_without_text_goes_with_what_follows() -> None:
    (piece,) = cut(f"# A\n\n## B\n\n{PARAGRAPH}")
    assert piece.text.startswith("# A\n\n## B\n\nThis")


def test_an_endless_heading_is_shortened_in_the_title_path_only() -> None:
    (piece,) = cut(f"# {'word ' * 200}\n\n")[:1]
    assert len(piece.title_path[1]) <= 120
    assert piece.title_path[1].endswith("…")


@pytest.mark.parametrize(
    "front_matter",
    [
        pytest.param("---\ntitle: A\ntags:\n  - b\n---\n", id="yaml"),
        pytest.param("---\r\ntitle: A\r\n...\r\n", id="yaml, dots and CRLF"),
        pytest.param("+++\ntitle = 'A'\n+++\n", id="toml"),
        pytest.param("\ufeff---\ntitle: A\n---\n", id="byte order mark"),
    ],
)
def test_front_matter_is_left_out(front_matter: str) -> None:
    (piece,) = cut(front_matter + PARAGRAPH)
    assert (piece.start, piece.text) == (len(front_matter), PARAGRAPH)


@pytest.mark.parametrize("text", ["---\n\nA rule first.\n\n---\n", "---\ntitle: never closed\n"], ids=["rule", "open"])
def test_what_only_looks_like_front_matter_stays(text: str) -> None:
    assert "".join(piece.text for piece in cut(text)).startswith("---")


FENCE = "```python\n" + "\n\n".join(f"value_{index} = compute({index})" for index in range(30)) + "\n```"
TABLE = "| name | value |\n|---|---|\n" + "\n".join(f"| row {index} | {'x' * 20} |" for index in range(32))
ITEMS = "\n".join(f"- Item {index}: {SENTENCE}" for index in range(8))


@pytest.mark.parametrize("block", [FENCE, TABLE], ids=["fence", "table"])
@pytest.mark.parametrize("before", [1, 2, 3, 4])
def test_what_fits_in_a_passage_is_never_cut(block: str, before: int) -> None:
    assert len(block) < PASSAGE.maximum
    text = "\n\n".join([*[PARAGRAPH] * before, block, *[PARAGRAPH] * 3])
    assert sum(block in piece.text for piece in cut(text)) == 1


def test_a_table_too_long_is_cut_between_rows() -> None:
    rows = ["| a | b |", "|---|---|", *[f"| row {index} | {'y' * 30} |" for index in range(100)]]
    pieces = cut("\n".join(rows))
    assert len(pieces) > 1
    assert [line for piece in pieces for line in piece.text.splitlines()] == rows


def test_a_fence_too_long_is_cut_between_lines_and_keeps_indentation() -> None:
    lines = [f"    call(argument_{index})" for index in range(100)]
    pieces = cut("\n".join(["```", *lines, "```"]))
    assert [line for piece in pieces for line in piece.text.splitlines()] == ["```", *lines, "```"]


@pytest.mark.parametrize("opening", ["```\n", "~~~ python\n", ""], ids=["backticks", "tildes", "indented"])
def test_code_too_long_is_cut_between_blank_lines_where_it_has_some(opening: str) -> None:
    part = "    def f():\n" + "        call(an_argument, another_argument)\n" * 7
    pieces = cut(f"{opening}{(part + chr(10)) * 12}{opening[:3]}\n")
    assert len(pieces) > 1
    assert all(piece.text.startswith("    def f():") for piece in pieces[1:])


def test_a_table_in_a_list_is_not_cut_where_it_fits() -> None:
    table = textwrap.indent(TABLE, "  ")
    text = "\n".join(f"- Item {index}: {SENTENCE}" for index in range(10)) + f"\n- A table:\n\n{table}\n\n{PARAGRAPH}"
    assert sum(table.strip() in piece.text for piece in cut(text)) == 1


def test_a_long_list_is_cut_between_items() -> None:
    text = "\n".join(f"- Item {index}: {SENTENCE}" for index in range(40))
    assert all(piece.text.startswith("- Item") and piece.text.endswith("ends.") for piece in cut(text))


def test_passages_of_a_section_are_of_about_equal_length() -> None:
    lengths = [len(piece.text) for piece in cut("\n\n".join([SENTENCE.strip()] * 40))]
    assert max(lengths) < 1.2 * min(lengths)


def fence(length: int) -> str:
    return f"```\n{'x' * (length - 8)}\n```"


@settings(deadline=None)
@given(st.lists(st.integers(9, PASSAGE.maximum), min_size=1, max_size=12))
@example([1150, 40, 1190, 1190])
@example([300, 1000, 1000])
def test_blocks_stay_whole_within_the_bound_and_no_small_passage_has_room_beside_it(lengths: list[int]) -> None:
    blocks = [fence(length) for length in lengths]
    pieces = cut("\n\n".join(blocks))
    assert [block for piece in pieces for block in piece.text.split("\n\n")] == blocks
    assert max(len(piece.text) for piece in pieces) <= PASSAGE.maximum
    for before, after in pairwise(pieces):
        small = min(len(before.text), len(after.text)) < SMALL
        assert not small or after.end - before.start > PASSAGE.maximum


def test_small_sections_of_one_family_share_a_passage() -> None:
    text = "# Questions\n\n" + "\n\n".join(f"## Question {index}?\n\nAnswer {index}." for index in range(5))
    assert [piece.title_path for piece in cut(text)] == [("Guide", "Questions")]


def test_small_sections_of_different_families_do_not() -> None:
    text = "# A\n\n## B\n\nSmall.\n\n# C\n\nSmall."
    assert [piece.title_path for piece in cut(text)] == [("Guide", "A", "B"), ("Guide", "C")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_line_ends_of_every_system(newline: str) -> None:
    text = f"# A\n\n{PARAGRAPH}\n\n# B\n\n{ITEMS}\n\n{FENCE}".replace("\n", newline)
    pieces = cut(text)
    assert {piece.title_path for piece in pieces} == {("Guide", "A"), ("Guide", "B")}
    assert all(text[piece.start : piece.end] == piece.text for piece in pieces)


def test_a_document_of_several_slices_is_cut_as_one() -> None:
    section = f"{PARAGRAPH}\n\n{FENCE}\n\n{TABLE}\n\n{ITEMS}\n\n"
    text = "".join(f"# Part {index}\n\n{section}" for index in range(3 * SLICE // len(section)))
    pieces = cut(text)
    assert sum(FENCE in piece.text for piece in pieces) == text.count(FENCE)
    assert {piece.title_path[1] for piece in pieces} == {f"Part {index}" for index in range(text.count("# Part"))}


def test_a_line_longer_than_a_slice() -> None:
    text = f"# A\n\n{'word ' * SLICE}\n\n# B\n\n{PARAGRAPH}"
    pieces = cut(text)
    assert pieces[-1].title_path == ("Guide", "B")
    assert max(len(piece.text) for piece in pieces) <= PASSAGE.maximum


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("> " * 5_000 + "x", id="quotations"),
        pytest.param("\n".join("  " * depth + "- x" for depth in range(400)), id="lists"),
        pytest.param("[" * 50_000, id="brackets"),
        pytest.param("# " + "[" * 50_000, id="brackets in a heading"),
        pytest.param("# " + "*a " * 20_000, id="emphasis in a heading"),
    ],
)
def test_deep_nesting_still_gets_in(text: str) -> None:
    pieces = cut(text)
    assert sum(len("".join(piece.text.split())) for piece in pieces) == len("".join(text.split()))
