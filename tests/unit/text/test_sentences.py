# ruff: noqa: RUF001 - the ambiguous characters are what these tests are about
from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.text.sentences import MAX_LENGTH, split_sentences

_CASES = {
    "two sentences": ["It rains.", "We stay."],
    "question and exclamation": ["Why?", "Because!", "Fine."],
    "titles": ["Dr. Smith met Mrs. Jones.", "They talked."],
    "latin abbreviations": ["Use a tool, e.g. Grep, vs. nothing.", "It helps."],
    "company before a name": ["He sold Acme Inc. Shares fell."],
    "company before a new sentence": ["He sold Acme Inc.", "The price fell."],
    "acronym inside": ["The U.S. Government moved.", "It paid."],
    "acronym at the end": ["He lives in the U.S.", "His wife does not."],
    "initials": ["J. R. R. Tolkien wrote it.", "We read it."],
    "time of day": ["Come at 5 p.m. on Monday.", "Bring a friend."],
    "degree": ["She has a Ph.D. in physics.", "He has none."],
    "decimals": ["Pi is 3.14 or so.", "Euler is 2.72."],
    "versions": ["It needs Python 3.11.", "Version 3.12.1 works too."],
    "figure": ["See Fig. 3 and Eq. (4).", "They agree."],
    "number sign": ["He drew No. 5.", "He lost."],
    "the answer no": ["No.", "That is wrong."],
    "circa": ["Born c. 1735 in Leeds.", "Died there."],
    "et al.": ["Smith et al. (2001) say so.", "We agree."],
    "year": ["It began in 1998.", "It ended in 2001."],
    "domain": ["Ask example.com for it.", "Or call os.path.join here."],
    "ellipsis inside": ["Perhaps... maybe not.", "Or so..."],
    "closing quote": ['He said "Go."', "She went."],
    "quoted question inside": ['"Why?" he asked.', "No answer."],
    "brackets": ["(It was late.)", "He slept."],
    "footnote mark": ["It is so.[1]", "It was so.[2][3]"],
    "lower case writing": ["i went outside.", "then i slept."],
    "unknown abbreviation before lower case": ["The agr. report came."],
    "CJK": ["今日は雨です。", "明日は晴れ！", "本当？"],
    "CJK quotation inside": ["「はい。」と言った。", "「いいえ。」"],
    "Arabic": ["هل هذا صحيح؟", "نعم."],
    "Hindi": ["यह सच है।", "वह गया।"],
}


@pytest.mark.parametrize("sentences", _CASES.values(), ids=_CASES.keys())
def test_sentences_of_prose(sentences: list[str]) -> None:
    glue = "" if sentences[0][-1] in "。！？」" else " "
    assert _split(glue.join(sentences)) == sentences


@pytest.mark.parametrize(
    ("text", "units"),
    [
        pytest.param("One line\nbreak in prose. Two.", ["One line\nbreak in prose.", "Two."], id="single newline"),
        pytest.param("No end\n\nhere", ["No end", "here"], id="blank line"),
        pytest.param("No end\r\n \r\nhere", ["No end", "here"], id="blank line with spaces, CRLF"),
        pytest.param("# Title\nText under it", ["# Title", "Text under it"], id="heading"),
        pytest.param("Title\n=====\nText", ["Title\n=====", "Text"], id="underlined heading"),
        pytest.param("- one\n- two\n  goes on\n* three", ["- one", "- two\n  goes on", "* three"], id="list"),
        pytest.param("1. First. More.\n2. Second", ["1. First.", "More.", "2. Second"], id="numbered list"),
        pytest.param("a) one\nviii) two\n(c) three", ["a) one", "viii) two", "(c) three"], id="lettered list"),
        pytest.param("Buy:\nmilk", ["Buy:", "milk"], id="lead-in"),
        pytest.param("| a | b |\n|---|---|\n| c. D | e |", ["| a | b |", "|---|---|", "| c. D | e |"], id="table"),
        pytest.param("> So he said\n> and left", ["> So he said", "> and left"], id="quoted lines"),
        pytest.param(
            "Run it.\n```sh\nmake a. B\n\n# no heading\n```\nDone.",
            ["Run it.", "```sh", "make a. B", "# no heading", "```", "Done."],
            id="fence",
        ),
        pytest.param("~~~\n```\nx\n~~~\ny", ["~~~", "```", "x", "~~~", "y"], id="fence of the other kind inside"),
        pytest.param("```\nnever closed\nx", ["```", "never closed", "x"], id="open fence"),
        pytest.param("def f():\n    a = 1\n    return a", ["def f():", "a = 1", "return a"], id="indented code"),
        pytest.param("", [], id="empty"),
        pytest.param(" \n\t ", [], id="white space"),
    ],
)
def test_structure_of_lines(text: str, units: list[str]) -> None:
    assert _split(text) == units


def test_a_long_sentence_is_cut_at_clauses() -> None:
    clause = "the committee met again in the spring to read the report of the year before"
    units = _split("; ".join([clause] * 12))
    assert len(units) > 1
    assert all(unit.endswith(("before", ";")) for unit in units)


def test_without_clauses_it_is_cut_between_words() -> None:
    units = _split("word " * 500)
    assert set(" ".join(units).split()) == {"word"}
    assert all(MAX_LENGTH // 5 < len(unit) <= MAX_LENGTH for unit in units)


def test_without_words_it_is_cut_between_characters_with_their_marks() -> None:
    units = _split("e\u0301" * 1_000)
    assert len(units) > 1
    assert all(unit.startswith("e") for unit in units)


@settings(deadline=None)
@given(
    st.text(
        st.one_of(st.sampled_from("aZ1 .!?\n-#`'\")([|>:\t。」؟\u0301\u200d\x1c\x85\ud800"), st.characters()),
        max_size=900,
    )
)
@example("a" * 5_000)
@example(". " * 3_000)
@example("x" + " " * 5_000 + "y")
def test_spans_are_ordered_disjoint_and_complete(text: str) -> None:
    position = 0
    for start, end in split_sentences(text):
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        assert end - start <= MAX_LENGTH
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize("pattern", [".", " ", "a", ".)", "\n", "```\n", "- ", "'", "-", "(", "\u200d"])
def test_a_megabyte_of_one_pattern_ends(pattern: str) -> None:
    # Quadratic time would take hours.
    text = pattern * (1_000_000 // len(pattern))
    assert sum(end - start for start, end in split_sentences(text)) <= len(text)


def _split(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]
