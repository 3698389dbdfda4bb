"""Figures where the right order is known, and what holds whatever the context."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.quality import measure
from services.gateway.quality.question import asked_terms, terms_of
from services.text.terms import analyse
from tests.unit.gateway.quality.contexts import CASES, OVERHEAD, Case, evidence, measured, passage_of, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from scic.gateway.v1 import quality_pb2

FIGURES = ("completeness", "relevance", "redundancy", "coherence", "size_efficiency")
ORDERLESS = ("completeness", "relevance", "redundancy", "size_efficiency")
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.titles[0])


def others(case: Case) -> list[pb.Evidence]:
    return [passage_of(other) for other in CASES if other is not case]


def scraps(case: Case) -> list[pb.Evidence]:
    """The sentences of a passage, from all over the place."""
    sentences = (case.rest[2], case.answer, case.rest[0], case.rest[3], case.rest[1])
    return [evidence(s, titles=case.titles, document=case.titles[0], start=case.text.index(s)) for s in sentences]


@pytest.mark.parametrize(
    ("figure", "better", "worse"),
    [
        pytest.param(
            "relevance", lambda c: [passage_of(c)], lambda c: [passage_of(c), *others(c)[:1]], id="filler fits less"
        ),
        pytest.param(
            "relevance",
            lambda c: [passage_of(c, cosine=0.55)],
            lambda c: [passage_of(c, cosine=0.2)],
            id="what is far in meaning fits less",
        ),
        pytest.param(
            "relevance",
            lambda c: [evidence("See there.", titles=[c.question])],
            lambda c: [evidence("See there.", titles=["Elsewhere"])],
            id="titles are read too",
        ),
        pytest.param(
            "completeness",
            lambda c: [passage_of(c, cosine=0.55)],
            lambda c: [passage_of(c, cosine=0.2)],
            id="a passage that fits less covers less",
        ),
        pytest.param(
            "completeness",
            lambda c: [passage_of(c)],
            lambda c: [passage_of(c, text=" ".join(c.rest))],
            id="without the answer less is covered",
        ),
        pytest.param("completeness", lambda c: [passage_of(c)], others, id="passages for other questions cover less"),
        pytest.param("coherence", lambda c: [passage_of(c)], scraps, id="scraps read worse than the whole"),
        pytest.param(
            "coherence",
            lambda c: sorted(scraps(c), key=lambda one: one.spans[0].start),
            scraps,
            id="sentences in order read better than shuffled",
        ),
        pytest.param(
            "size_efficiency",
            lambda c: [passage_of(c)],
            lambda c: [passage_of(c), passage_of(c)],
            id="what is said twice is wasted",
        ),
        pytest.param(
            "size_efficiency", lambda c: [passage_of(c)], lambda c: [passage_of(c), *others(c)], id="filler is wasted"
        ),
    ],
)
@each_case
def test_a_better_context_has_the_better_figure(
    case: Case,
    figure: str,
    better: Callable[[Case], list[pb.Evidence]],
    worse: Callable[[Case], list[pb.Evidence]],
) -> None:
    good, bad = (getattr(measured(case.question, *context(case)), figure) for context in (better, worse))
    assert good > bad


@pytest.mark.parametrize("cosines", [(0.0, 0.0), (0.62, 0.03)], ids=["words alone", "with cosines"])
def test_answers_and_others_stand_apart_at_the_threshold(cosines: tuple[float, float]) -> None:
    near, far = cosines
    answers = [measured(case.question, passage_of(case, cosine=near)) for case in CASES]
    strangers = [
        measured(case.question, passage_of(other, cosine=far)) for case, other in product(CASES, CASES) if case != other
    ]
    assert min(one.relevance for one in answers) >= 0.7
    assert max(one.relevance for one in strangers) < 0.5
    assert min(one.completeness for one in answers) > max(one.completeness for one in strangers)


@each_case
def test_what_is_said_twice_is_redundant_and_different_things_are_not(case: Case) -> None:
    once, twice = [passage_of(case)], [passage_of(case), passage_of(case)]
    assert measured(case.question, *once).redundancy == 0
    assert measured(case.question, *twice).redundancy == pytest.approx(0.5)
    assert measured(case.question, *once, *others(case)).redundancy < 0.05


def test_a_reworded_copy_is_redundant_in_part() -> None:
    case = CASES[0]
    other_words = passage_of(case, text=case.text.replace("hangs beside", "is near").replace("must be", "should be"))
    assert 0.3 < measured(case.question, passage_of(case), other_words).redundancy < 0.5


def test_size_efficiency_counts_all_of_the_prompt_but_the_reserved_output() -> None:
    case = CASES[1]
    passage = passage_of(case)
    share = passage.token_count / (passage.token_count + OVERHEAD)
    assert measured(case.question, passage).size_efficiency == pytest.approx(share)


@pytest.mark.parametrize(
    ("starts", "gaps", "expected"),
    [
        pytest.param([0, 500], [], 1.0, id="neighbours in order are one piece"),
        pytest.param([0, 5000], [], 0.5, id="far apart they are two halves"),
        pytest.param([500, 0], [], 0.25, id="the wrong way round, one stands apart"),
        pytest.param([0], [(0, 100), (250, 350)], 1.0, id="a sentence is missing"),
        pytest.param([0], [(0, 100), (900, 1000)], 0.5, id="a page is missing"),
    ],
)
def test_coherence_of_pieces(starts: Sequence[int], gaps: Sequence[tuple[int, int]], expected: float) -> None:
    passages = [evidence("x" * 450, document="d", start=start, tokens=32 // len(starts)) for start in starts]
    if gaps:
        del passages[0].spans[:]
        for start, end in gaps:
            passages[0].spans.add(start=start, end=end)
    assert measured("What?", *passages).coherence == pytest.approx(expected)


def test_a_summary_is_one_text_whatever_it_was_made_of() -> None:
    passage = evidence("A summary of much.", document="d")
    passage.spans.add(start=5000, end=5100)
    assert measured("What?", passage).coherence < 1
    passage.fate = pb.Evidence.FATE_SUMMARISED
    assert measured("What?", passage).coherence == 1


def test_six_terms_are_enough_of_a_long_question() -> None:
    words = ["".join(letters) for letters in product("bcdfghjklm", repeat=2)]
    assert measured(" ".join(words), evidence(" ".join(words[:6]))).relevance == 1
    assert measured(" ".join(words), evidence(" ".join(words[:3]))).relevance == pytest.approx(0.5)


def test_a_passage_of_another_document_between_two_breaks_them_apart() -> None:
    first, second, other = (evidence("x", document=d, start=s, tokens=64) for d, s in (("a", 0), ("a", 9), ("b", 0)))
    together, broken = measured("x?", first, second, other), measured("x?", first, other, second)
    assert together.coherence == pytest.approx(1)
    assert broken.coherence == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "question", ["What is it?", "", "?", "who", "名前は何ですか", "x" * 8192], ids=lambda question: repr(question[:12])
)
def test_any_question_has_its_figures(question: str) -> None:
    found = measured(question, passage_of(CASES[0]), evidence("", tokens=0))
    assert all(0 <= getattr(found, figure) <= 1 for figure in FIGURES)


def test_without_evidence_every_figure_is_0() -> None:
    assert [getattr(measured(CASES[0].question), figure) for figure in FIGURES] == [0] * len(FIGURES)
    assert [getattr(measure("Why?", [], [], pb.TokenUsage()), figure) for figure in FIGURES] == [0] * len(FIGURES)


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        pytest.param("How often must the pump be serviced?", {"pump": "pump", "servic": "serviced"}, id="asking words"),
        pytest.param(
            "What does “get_user” use?", {"getus": "get_user", "user": "get_user"}, id="an identifier's parts"
        ),
        pytest.param("What year?", {"year": "year"}, id="nothing but asking words"),
        pytest.param("What is that?", {}, id="stop words alone"),
        pytest.param("泵" * 40, {"泵泵": "泵泵"}, id="writing without spaces"),
    ],
)
def test_what_a_question_asks_for(question: str, terms: dict[str, str]) -> None:
    assert {term: word for term, word in asked_terms(question).items() if term != "get"} == terms


@given(
    st.lists(
        st.sampled_from([*(case.text for case in CASES), "v1.2.3", "C++", "日本語の文", "naïve\u00a0café", "U.S."])
    )
)
def test_terms_are_those_of_the_analysis(parts: list[str]) -> None:
    text = " ".join(parts)
    assert terms_of(text) == analyse(text)


@given(st.text())
def test_terms_of_any_text_are_those_of_the_analysis(text: str) -> None:
    assert terms_of(text) == analyse(text)


WORDS = [word for case in CASES for word in case.text.split()]


@st.composite
def passages(draw: st.DrawFn) -> pb.Evidence:
    words = draw(st.lists(st.sampled_from(WORDS), max_size=30))
    passage = evidence(
        " ".join(words),
        titles=draw(st.lists(st.sampled_from(WORDS), max_size=2)),
        document=draw(st.sampled_from(["a", "b", ""])),
        start=draw(st.integers(0, 1000)),
        cosine=draw(st.one_of(st.just(0.0), st.floats(-1, 1, width=32))),
        tokens=draw(st.integers(0, 200)),
    )
    passage.fate = draw(st.sampled_from(pb.Evidence.Fate.values()))
    at = passage.spans[0].end
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 90)), max_size=3)):
        passage.spans.add(start=at + gap, end=at + gap + length)
        at += gap + length
    return passage


questions = st.one_of(
    st.sampled_from([case.question for case in CASES]), st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
)


def figures(found: quality_pb2.Quality, names: Sequence[str]) -> list[float]:
    return [getattr(found, name) for name in names]


@given(questions, st.lists(passages(), max_size=8), st.builds(pb.TokenUsage, total=st.integers(0, 900)))
def test_figures_lie_between_0_and_1(question: str, context: list[pb.Evidence], tokens: pb.TokenUsage) -> None:
    assert all(0 <= figure <= 1 for figure in figures(measure(question, context, [], tokens), FIGURES))


@given(questions, st.lists(passages(), max_size=8), st.randoms(use_true_random=False))
def test_only_coherence_depends_on_the_order(question: str, context: list[pb.Evidence], random: Random) -> None:
    shuffled = random.sample(context, len(context))
    before, after = measured(question, *context), measured(question, *shuffled)
    assert figures(after, ORDERLESS) == pytest.approx(figures(before, ORDERLESS))


@given(questions, st.lists(passages(), max_size=6), passages())
def test_one_more_passage_covers_no_less(question: str, context: list[pb.Evidence], more: pb.Evidence) -> None:
    before, after = measured(question, *context), measured(question, *context, more)
    assert after.completeness >= before.completeness - 1e-6


@given(questions, st.lists(passages(), min_size=1, max_size=6))
def test_everything_twice_is_more_redundant_and_covers_the_same(question: str, context: list[pb.Evidence]) -> None:
    before, after = measured(question, *context), measured(question, *context, *context)
    assert figures(after, ["completeness", "relevance"]) == pytest.approx(
        figures(before, ["completeness", "relevance"])
    )
    if any(analyse(passage.text) for passage in context):
        assert after.redundancy == pytest.approx((1 + before.redundancy) / 2)


@given(questions, st.lists(passages(), min_size=1, max_size=6), st.integers(0, 5), st.floats(0.01, 1))
def test_a_passage_that_is_nearer_makes_no_context_less_relevant(
    question: str, context: list[pb.Evidence], at: int, cosine: float
) -> None:
    passage = context[at % len(context)]
    passage.score.dense = cosine / 2
    before = measured(question, *context)
    passage.score.dense = cosine
    after = measured(question, *context)
    assert after.relevance >= before.relevance - 1e-6
    assert after.completeness >= before.completeness - 1e-6


def test_nothing_that_is_given_is_changed() -> None:
    passage, case = passage_of(CASES[0]), CASES[0]
    before, tokens = passage.SerializeToString(deterministic=True), usage([passage])
    measure(case.question, [passage], [], tokens)
    assert passage.SerializeToString(deterministic=True) == before
