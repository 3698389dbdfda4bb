"""Recommendations: which come when, with what figures, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1.quality_pb2 import Recommendation
from services.gateway.quality import measure
from tests.unit.gateway.quality.contexts import CASES, OVERHEAD, dropped, evidence, measured, passage_of, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scic.gateway.v1 import quality_pb2

PUMP, LEDGER, BAKERY, GOATS, CACHE, ORGAN = CASES
GOOD = passage_of(PUMP, cosine=0.6)
COPY = evidence(GOOD.text, titles=GOOD.title_path, document="copy", cosine=0.6)
OFF = evidence("Lunch is at noon. " * 60, source="history", cosine=0.02)
ONLY_HOLDER = evidence("Everything is serviced in time. " * 20, document="plan", cosine=0.05)
TITLES = ("Skerry ferry", "Bilge pump")
STRANGERS = [passage_of(case, cosine=0.05) for case in (LEDGER, BAKERY, GOATS)]
NEAR_MISS = evidence("The winch of the launch is greased on Mondays. " * 6, document="winch", cosine=0.12)
SCRAPS = [evidence(GOOD.text, document=f"d{i}", titles=GOOD.title_path, tokens=8, cosine=0.6) for i in range(3)]


def kinds(found: quality_pb2.Quality) -> list[str]:
    return [Recommendation.Kind.Name(one.kind).removeprefix("KIND_") for one in found.recommendations]


@pytest.mark.parametrize(
    ("evidence_given", "left_out", "expected"),
    [
        pytest.param([GOOD], [], [], id="a good context needs nothing"),
        pytest.param([], [], ["ADD_SOURCES"], id="nothing was found"),
        pytest.param([], [dropped(200, *TITLES, cosine=0.6)], ["RAISE_BUDGET"], id="nothing had room"),
        pytest.param([GOOD, COPY], [], ["REDUCE_REDUNDANCY"], id="the same in two documents"),
        pytest.param(STRANGERS, [], ["ADD_SOURCES", "IMPROVE_RELEVANCE"], id="passages for other questions"),
        pytest.param([GOOD, *STRANGERS], [], ["LOWER_BUDGET", "IMPROVE_RELEVANCE"], id="the answer among others"),
        pytest.param([GOOD], [dropped(60, *TITLES, cosine=0.6)], ["RAISE_BUDGET"], id="a good one had no room"),
        pytest.param(
            [GOOD, *STRANGERS],
            [dropped(600, *TITLES, cosine=0.6)],
            ["RAISE_BUDGET", "IMPROVE_RELEVANCE"],
            id="never a larger and a smaller budget",
        ),
        pytest.param(
            [passage_of(PUMP, cosine=0.6, text="The bilge pump of the ferry."), ONLY_HOLDER],
            [],
            ["IMPROVE_RELEVANCE"],
            id="what alone has a term of the question is needed",
        ),
        pytest.param(
            [passage_of(PUMP, cosine=0.6, text=GOOD.text[i : i + 60]) for i in (0, 60)] + SCRAPS,
            [],
            ["REDUCE_REDUNDANCY", "IMPROVE_COHERENCE"],
            id="scraps that say the same",
        ),
    ],
)
def test_what_is_recommended(
    evidence_given: Sequence[pb.Evidence], left_out: Sequence[pb.DroppedPassage], expected: list[str]
) -> None:
    assert kinds(measured(PUMP.question, *evidence_given, left_out=left_out)) == expected


@pytest.mark.parametrize(
    ("left_out", "raised"),
    [
        pytest.param(dropped(60, *TITLES, cosine=0.6), True, id="no room"),
        pytest.param(dropped(60, *TITLES, cosine=0.6, reason=pb.DroppedPassage.REASON_TOO_LARGE), True, id="too large"),
        pytest.param(
            dropped(60, *TITLES, cosine=0.6, reason=pb.DroppedPassage.REASON_SECTION_FULL), True, id="its part was full"
        ),
        pytest.param(dropped(60, *TITLES), True, id="never compared, its titles fit"),
        pytest.param(dropped(60, "Winch", cosine=0.2), False, id="it fits badly"),
        pytest.param(dropped(4, *TITLES, cosine=0.6), False, id="too little to matter"),
        pytest.param(
            dropped(60, *TITLES, cosine=0.6, reason=pb.DroppedPassage.REASON_DUPLICATE), False, id="a duplicate"
        ),
        pytest.param(dropped(60, *TITLES, cosine=0.6, reason=pb.DroppedPassage.REASON_GUARD), False, id="kept out"),
    ],
)
def test_a_larger_budget_is_for_good_passages_that_had_no_room(left_out: pb.DroppedPassage, raised: bool) -> None:
    assert ("RAISE_BUDGET" in kinds(measured(PUMP.question, GOOD, left_out=[left_out]))) is raised


@pytest.mark.parametrize(
    ("context", "left_out", "kind", "says"),
    [
        pytest.param(
            [NEAR_MISS],
            [],
            Recommendation.KIND_ADD_SOURCES,
            "“bilge”, “pump”, “ferry”, “Skerry” and 1 more of the question (100 % of its terms)",
            id="the words that are missing",
        ),
        pytest.param(
            [GOOD, GOOD],
            [],
            Recommendation.KIND_REDUCE_REDUNDANCY,
            f"Redundancy is 0.50, above 0.3: fewer passages would say the same in about {GOOD.token_count} of "
            f"{2 * GOOD.token_count} tokens less",
            id="how much is repeated",
        ),
        pytest.param(
            [GOOD, OFF],
            [],
            Recommendation.KIND_IMPROVE_RELEVANCE,
            "1 of 2 passages, 240 of 291 tokens, fit less than that, most of them from `history`",
            id="which source fits badly",
        ),
        pytest.param(
            [GOOD, OFF],
            [],
            Recommendation.KIND_LOWER_BUDGET,
            f"240 of 291 tokens of evidence fit badly and add nothing: a prompt of about {51 + OVERHEAD} tokens "
            f"instead of {291 + OVERHEAD} would do",
            id="what would do",
        ),
        pytest.param(
            [GOOD],
            [dropped(60, *TITLES, cosine=0.6), dropped(30, *TITLES, cosine=0.5), dropped(500, "Winch", cosine=0.1)],
            Recommendation.KIND_RAISE_BUDGET,
            "2 with 90 tokens. max_tokens of about 2,090 instead of 2,000",
            id="what had no room",
        ),
        pytest.param(
            [evidence(word * 90, document="d", start=start, tokens=9) for word, start in (("a", 900), ("b", 0))],
            [],
            Recommendation.KIND_IMPROVE_COHERENCE,
            "2 pieces of about 9 tokens, and 1 of 2 passages stand apart",
            id="what the pieces are",
        ),
    ],
)
def test_a_recommendation_says_its_figures(
    context: Sequence[pb.Evidence],
    left_out: Sequence[pb.DroppedPassage],
    kind: Recommendation.Kind.ValueType,
    says: str,
) -> None:
    details = {one.kind: one.detail for one in measured(PUMP.question, *context, left_out=left_out).recommendations}
    assert says in details[kind]
    assert details[kind].endswith(".")


def test_at_most_three_are_given_and_the_most_helpful_first() -> None:
    scraps = [
        evidence(text, document="d", start=start) for text, start in (("Tea.", 900), ("Tea. Tea.", 500), ("Tea.", 0))
    ]
    found = measured(PUMP.question, *scraps, left_out=[dropped(3, *TITLES, cosine=0.6)])
    assert len(kinds(found)) == 3
    assert kinds(found)[0] == "ADD_SOURCES"


@pytest.mark.parametrize(("copies", "advised"), [(2, False), (9, True)], ids=["two of ten words", "nine of ten"])
def test_the_smaller_the_flaw_the_later_it_is_named(copies: int, advised: bool) -> None:
    words = [f"word{i}" for i in range(10)]
    held = [word for word in words if int(word[4:]) >= copies]
    found = measured(" ".join(words), evidence(" ".join([*held, "pump"])))
    assert ("ADD_SOURCES" in kinds(found)) is advised


@given(
    st.lists(st.sampled_from([GOOD, NEAR_MISS, *STRANGERS, *SCRAPS]), max_size=6),
    st.lists(
        st.builds(dropped, st.integers(0, 500), st.sampled_from([*TITLES, "Winch"]), cosine=st.floats(-1, 1)),
        max_size=3,
    ),
)
def test_advice_never_contradicts_itself(context: list[pb.Evidence], left_out: list[pb.DroppedPassage]) -> None:
    found = measure(PUMP.question, context, left_out, usage(context))
    given_kinds = kinds(found)
    assert len(given_kinds) == len(set(given_kinds)) <= 3
    assert not {"RAISE_BUDGET", "LOWER_BUDGET"} <= set(given_kinds)
    if "REDUCE_REDUNDANCY" in given_kinds:
        assert found.redundancy > 0.3
    if "IMPROVE_RELEVANCE" in given_kinds:
        assert found.relevance < 0.7
