"""What compression promises, whatever comes in."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compressor.compress import compress
from services.compressor.fill import Section
from services.compressor.head_cut import head_cut
from services.compressor.passage import CompressInput, CompressOutput, Fate, Passage, Reason
from services.compressor.prepare import prepare, title_line
from services.compressor.prepared import COUNTED_ENCODINGS, pack
from services.compressor.units import split_units
from services.text.tokens import encoding_for

ENCODINGS = [encoding_for(name) for name in COUNTED_ENCODINGS]
METHODS = [pytest.param(compress, id="scored"), pytest.param(head_cut, id="head")]
DIMENSION = 8

SENTENCES = st.sampled_from(
    [
        "The lighthouse was built in 1874.",
        "It never burned oil!",
        "Its keeper, Ada Byrne, wrote to Dr. Hale.",
        "x = compute(a, b)  # not a sentence",
        "東京タワーは1958年に完成した。",
        "مرحبا بالعالم؟",
        "👩‍👩‍👧 \N{FAMILY}\u200d emoji 🎉",
        "- a list item",
        "<|endoftext|>",
        "naïve café Ünïcödé",
        "\t",
    ]
)
TEXTS = st.one_of(
    st.lists(st.tuples(SENTENCES, st.sampled_from([" ", "\n", "\n\n", ""])), max_size=8).map(
        lambda parts: "".join(sentence + gap for sentence, gap in parts)
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=120),
)


@st.composite
def passages(draw: st.DrawFn) -> Passage:
    title = draw(st.sampled_from(["", "Lighthouse", "Ada Byrne > Letters", "東京", "[1] (a)"]))
    text, kind = draw(TEXTS), draw(st.sampled_from(["docs", "code", "history"]))
    state = draw(st.sampled_from(["raw", "prepared", "wordless", "damaged", "stale"]))
    prepared = None
    if state != "raw":
        units = split_units(text, kind)
        vectors = np.ones((len(units), DIMENSION), np.float32) / np.sqrt(DIMENSION) if state != "wordless" else None
        source = f"{text} More." if state == "stale" else text
        prepared = pack(prepare(title, source, units, vectors, ENCODINGS))
    if state == "damaged" and prepared:
        at = draw(st.integers(0, len(prepared) - 1))
        prepared = prepared[:at] + bytes([prepared[at] ^ 0x41]) + prepared[at + 1 :]
    return Passage("p", title, text, kind, prepared, draw(st.floats(0, 1)))


@st.composite
def requests(draw: st.DrawFn) -> CompressInput:
    return CompressInput(
        question=draw(st.sampled_from(["", "When was the lighthouse built?", "who is Ada Byrne", "東京", "?"])),
        question_vector=draw(st.sampled_from([None, np.eye(DIMENSION, dtype=np.float32)[0], np.ones(3, np.float32)])),
        passages=tuple(draw(st.lists(passages(), max_size=5))),
        max_tokens=draw(st.integers(0, 160)),
        encoding=draw(st.sampled_from(ENCODINGS)),
        overhead_tokens=draw(st.integers(0, 12)),
        gap=draw(st.sampled_from([" ", " … ", "\n[...]\n"])),
    )


def cost(request: CompressInput, output: CompressOutput) -> int:
    """Tokens of what is kept, counted from the shown text alone."""
    return sum(
        request.encoding.count(title_line(passage.title))
        + request.overhead_tokens
        + request.encoding.count(f"{result.text}\n")
        for passage, result in zip(request.passages, output.passages, strict=True)
        if result.spans
    )


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=150, deadline=None)
@given(request=requests())
def test_never_over_budget_and_honestly_counted(method, request):
    output = method(request)
    assert output.token_count == cost(request, output)
    assert output.token_count <= request.max_tokens


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=150, deadline=None)
@given(request=requests())
def test_spans_are_valid_ordered_and_apart(method, request):
    output = method(request)
    assert len(output.passages) == len(request.passages)
    for passage, result in zip(request.passages, output.passages, strict=True):
        last = -1
        for start, end in result.spans:
            assert last < start < end <= len(passage.text)
            assert passage.text[start:end].strip()
            # Two spans are two because words were left out between them.
            assert last < 0 or passage.text[last:start].strip()
            last = end
        assert (result.fate is Fate.DROPPED) == (not result.spans) == (result.token_count == 0)
        assert (result.fate is Fate.KEPT) == (
            bool(result.spans) and "".join(passage.text[a:b] for a, b in result.spans).strip() == passage.text.strip()
        )


@settings(max_examples=60, deadline=None)
@given(request=requests())
def test_what_fits_is_left_untouched(request):
    output = compress(dataclasses.replace(request, max_tokens=100_000))
    for passage, result in zip(request.passages, output.passages, strict=True):
        expected = ((0, len(passage.text)),) if passage.text.strip() else ()
        assert result.spans == expected
        assert result.token_count == result.original_token_count


@settings(max_examples=40, deadline=None)
@given(request=requests())
def test_same_in_same_out(request):
    assert compress(request) == compress(request)


TEXT = "The tower stands in a park. It was finished in 1958. Visitors like the view."


def ask(question="When was the tower finished?", *, text=TEXT, prepared=None, max_tokens=20, **changes):
    passage = Passage("p", "Tower", text, "docs", prepared)
    request = CompressInput(question, None, (passage,), max_tokens, ENCODINGS[0], 2)
    (result,) = compress(dataclasses.replace(request, **changes)).passages
    return result


@pytest.mark.parametrize(
    ("text", "max_tokens", "fate", "reason"),
    [
        pytest.param(TEXT, 0, Fate.DROPPED, Reason.TOO_LARGE, id="budget-0"),
        pytest.param(TEXT, 6, Fate.DROPPED, Reason.TOO_LARGE, id="less-than-a-sentence"),
        pytest.param(TEXT, 16, Fate.COMPRESSED, Reason.BEST_UNITS, id="one-sentence"),
        pytest.param(TEXT, 100, Fate.KEPT, Reason.FITS, id="all"),
        pytest.param("", 100, Fate.DROPPED, Reason.EMPTY, id="no-text"),
        pytest.param(" \n\t ", 100, Fate.DROPPED, Reason.EMPTY, id="white-space"),
        pytest.param(" \n\t ", 0, Fate.DROPPED, Reason.EMPTY, id="white-space-budget-0"),
    ],
)
def test_every_fate_has_its_reason(text, max_tokens, fate, reason):
    result = ask(text=text, max_tokens=max_tokens)
    assert (result.fate, result.reason) == (fate, reason)


def test_a_passage_that_loses_to_a_better_one_says_so():
    better = Passage("b", "Tower", "The tower was finished in 1958.", "docs")
    worse = Passage("w", "Park", "The park has many old trees.", "docs")
    request = CompressInput("When was the tower finished?", None, (worse, better), 16, ENCODINGS[0], 2)
    results = compress(request).passages
    assert [r.fate for r in results] == [Fate.DROPPED, Fate.KEPT]
    assert results[0].reason is Reason.LESS_RELEVANT


def sound(title="Tower", text=TEXT):
    return pack(prepare(title, text, split_units(text, "docs"), None, ENCODINGS))


@pytest.mark.parametrize(
    ("prepared", "raw"),
    [
        pytest.param(sound(), False, id="sound"),
        pytest.param(None, True, id="none"),
        pytest.param(b"", True, id="empty"),
        pytest.param(b"junk", True, id="junk"),
        pytest.param(sound()[:-3], True, id="cut"),
        pytest.param(sound(text=TEXT.replace("1958", "1959")), True, id="of-another-text"),
        pytest.param(sound(title="Towers"), True, id="of-another-title"),
    ],
)
def test_prepared_bytes_that_cannot_be_used_are_reported(prepared, raw):
    result = ask(prepared=prepared, max_tokens=16)
    assert result.raw is raw
    assert [TEXT[a:b] for a, b in result.spans] == ["It was finished in 1958."]


def test_neighbours_become_one_span_and_keep_what_lies_between():
    text = "The tower was finished in 1958.\n\nThe tower was painted red in 1958. Visitors like cake and tea and rain."
    result = ask("When was the tower finished and painted?", text=text, max_tokens=28)
    assert result.spans == ((0, text.index(" Visitors")),)


def test_a_passage_kept_to_the_last_character_is_not_counted_again():
    counted = []

    class Counter:
        name = ENCODINGS[0].name

        def count(self, text):
            counted.append(text)
            return ENCODINGS[0].count(text)

        def count_batch(self, texts):
            return [self.count(text) for text in texts]

    asked = "The tower was finished in 1958."
    passages = tuple(
        Passage(str(i), "", text, "docs", sound("", text))
        for i, text in enumerate([asked, "The park has many old trees."])
    )
    budget = ENCODINGS[0].count(f"{asked}\n")
    output = compress(CompressInput("When was the tower finished?", None, passages, budget, Counter(), 0))
    assert [bool(r.spans) for r in output.passages] == [True, False]
    assert output.token_count == budget
    assert not any(asked in text for text in counted)


def test_repeats_are_not_paid_for_twice():
    text = "The tower was finished in 1958."
    other = "Workers painted the tower red over the winter."
    passages = tuple(Passage(str(i), "", t, "docs") for i, t in enumerate([text, text, other]))
    budget = 2 * (ENCODINGS[0].count(f"{text}\n") + 2)
    request = CompressInput("When was the tower finished?", None, passages, budget, ENCODINGS[0], 2)
    assert [bool(r.spans) for r in compress(request).passages] == [True, False, True]


def test_stored_counts_are_not_trusted_with_the_last_token():
    first = "Dennis Quaid."
    as_stored, real = ENCODINGS[0].count_batch([f" {first}\n", f"{first}\n"])
    assert as_stored < real
    passage = Passage("p", "", f"{first} He was cast for the film in the end.", "docs")
    request = CompressInput("Dennis Quaid", None, (passage,), as_stored, ENCODINGS[0], 0)
    assert compress(request).passages[0].spans == ()
    assert compress(dataclasses.replace(request, max_tokens=real)).passages[0].spans == ((0, len(first)),)


def test_the_head_cut_follows_the_retrieval_score():
    passages = tuple(Passage(str(i), "", TEXT, "docs", score=score) for i, score in enumerate([0.1, 0.9, 0.5]))
    request = CompressInput("", None, passages, 34, ENCODINGS[0], 2)
    results = head_cut(request).passages
    assert [r.fate for r in results] == [Fate.DROPPED, Fate.KEPT, Fate.COMPRESSED]
    assert [TEXT[a:b] for a, b in results[2].spans] == ["The tower stands in a park."]
    assert results[2].reason is Reason.HEAD


def test_a_fence_without_words_before_a_short_answer_is_no_sentence():
    assert ask(text="```\n\nNo.", max_tokens=2).reason is Reason.TOO_LARGE


def test_a_blank_prepared_passage_has_no_room_for_patterns():
    blank = Passage("p", "Tower", " \n ", "docs", sound(text=" \n "))
    request = CompressInput("When?", None, (blank,), 20, ENCODINGS[0], 0, pin_patterns=(r"\s+",))
    assert compress(request).passages[0].reason is Reason.EMPTY


SECTIONS = st.lists(
    st.builds(Section, st.sampled_from([0.2, 1.0]), st.just(0), st.one_of(st.none(), st.integers(0, 60))),
    min_size=2,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(request=requests(), sections=SECTIONS, data=st.data())
def test_no_section_takes_more_than_its_bound(request, sections, data):
    index = st.integers(0, len(sections) - 1)
    placed = tuple(dataclasses.replace(passage, section=data.draw(index)) for passage in request.passages)
    request = dataclasses.replace(request, passages=placed, sections=tuple(sections))
    output = compress(request)
    for section, use in zip(sections, output.section_uses, strict=True):
        assert section.max_tokens is None or use.token_count <= section.max_tokens
    assert sum(use.token_count for use in output.section_uses) == cost(request, output)
