"""Selection: what is chosen among candidates, in which order, and why."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.selector.diversity import NOVELTY
from services.selector.fusion import fuse
from services.selector.passage import SourceKind
from services.selector.query import Candidates, Pick, Recency
from services.selector.selection import rank
from tests.unit.selector.candidates import candidates

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def positions(*given: Candidates) -> list[tuple[int, int]]:
    return [(pick.source, pick.position) for pick in rank(given, NOW)]


def left_out(*given: Candidates) -> dict[tuple[int, int], tuple[int, int]]:
    """Each passage that was left out, and the one that stands for it."""
    return {
        (pick.source, pick.position): (pick.duplicate_of.source, pick.duplicate_of.position)
        for pick in rank(given, NOW)
        if pick.duplicate_of is not None
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], [], id="no source"),
        pytest.param([candidates([])], [], id="nothing found"),
        pytest.param([candidates([1, 3, 2])], [(0, 1), (0, 2), (0, 0)], id="best first"),
        pytest.param([candidates([1, 3, 2], limit=2)], [(0, 1), (0, 2)], id="up to the limit"),
        pytest.param([candidates([2, 2, 2, 2], limit=2)], [(0, 0), (0, 1)], id="equals by position"),
        pytest.param([candidates([6, 2]), candidates([4, 1, 8])], [(1, 2), (0, 0), (1, 0), (0, 1), (1, 1)],
                     id="sources on one scale"),
        pytest.param([candidates([9, 8, 7], limit=1), candidates([3, 2], limit=2)], [(0, 0), (1, 0), (1, 1)],
                     id="each source up to its own limit"),
        pytest.param([candidates([]), candidates([5])], [(1, 0)], id="an empty source"),
    ],
)  # fmt: skip
def test_order(given: list[Candidates], expected: list[tuple[int, int]]) -> None:
    assert positions(*given) == expected


def test_code_is_ranked_by_meaning_and_prose_by_both() -> None:
    words, meaning = [10, 6, 0], [0.3, 0.6, 0.7]
    assert [p for _, p in positions(candidates(words, meaning, kind=SourceKind.CODE))] == [2, 1, 0]
    assert [p for _, p in positions(candidates(words, meaning, kind=SourceKind.DOCS))] == [1, 0, 2]


class TestCopies:
    def test_a_text_takes_one_place_and_its_copy_says_why_it_takes_none(self) -> None:
        given = candidates([9, 8, 7, 6], texts=[1, 1, 2, 3], limit=2)
        assert positions(given) == [(0, 0), (0, 1), (0, 2)]
        assert left_out(given) == {(0, 1): (0, 0)}

    def test_a_text_that_a_better_one_of_another_source_says_is_left_out(self) -> None:
        given = candidates([9, 2], texts=[7, 8]), candidates([10, 6, 4], texts=[8, 9, 7], limit=2)
        assert left_out(*given) == {(0, 1): (1, 0)}
        assert positions(*given) == [(1, 0), (0, 0), (1, 1), (0, 1)]

    @pytest.mark.parametrize(
        ("changed", "same"),
        [pytest.param([5, 20], True, id="nearly the same"), pytest.param([5, 6, 20], False, id="too different"),
         pytest.param([0], False, id="another number in it")],
    )  # fmt: skip
    def test_near_copies(self, changed: list[int], same: bool) -> None:
        given = candidates([9, 8, 7])
        given.sketches[2] = given.sketches[0]
        given.sketches[2, changed] ^= 1
        assert left_out(given) == ({(0, 2): (0, 0)} if same else {})

    def test_of_several_the_best_stands_for_a_copy(self) -> None:
        given = candidates([9, 8, 7])
        given.sketches[1:] = given.sketches[0]
        given.sketches[1, [9, 13, 17]] ^= 1
        given.sketches[2, [9, 13]] ^= 1
        assert left_out(given) == {(0, 2): (0, 0)}

    def test_a_copy_costs_its_document_nothing(self) -> None:
        given = candidates([9, 8, 7], texts=[1, 1, 2], documents=[1, 2, 2])
        assert [pick.scores.novelty for pick in rank([given], NOW)] == [1, 1, 1]


class TestOnePassageOfSeveralSources:
    def test_it_takes_one_place_and_is_no_copy_of_itself(self) -> None:
        docs = candidates([9, 8], [0.6, 0.7], passages=[1, 2], texts=[1, 2], documents=[1, 2])
        vectors = candidates(
            [9, 8, 0],
            [0.6, 0.7, 0.5],
            passages=[1, 2, 3],
            texts=[1, 2, 3],
            documents=[1, 2, 3],
            everywhere=True,
            limit=1,
        )
        assert positions(docs, vectors) == [(0, 1), (0, 0), (1, 2)]
        assert left_out(docs, vectors) == {}

    def test_what_only_one_of_them_has_place_for_is_taken_from_it(self) -> None:
        docs = candidates([9, 8], [0.6, 0.7], passages=[1, 2], limit=1)
        vectors = candidates([9, 8], [0.6, 0.7], passages=[1, 2], everywhere=True)
        assert positions(docs, vectors) == [(0, 1), (1, 0)]


class TestDocuments:
    def test_each_better_passage_of_a_document_makes_the_next_worth_less(self) -> None:
        given = candidates([10, 9.9, 9.8, 9.8], documents=[1, 1, 1, 2])
        picks = rank([given], NOW)
        assert [pick.position for pick in picks] == [0, 3, 1, 2]
        assert [pick.scores.novelty for pick in picks] == [1, 1, NOVELTY, NOVELTY**2]

    def test_a_document_is_one_in_all_sources(self) -> None:
        picks = rank([candidates([10], documents=[1]), candidates([9], documents=[1])], NOW)
        assert [pick.scores.novelty for pick in picks] == [1, NOVELTY]


def test_a_source_that_prefers_what_is_new_ranks_by_age_too() -> None:
    days = [NOW.timestamp() - 86_400 * age for age in (400, 1)]
    given = candidates([10, 9], created=days, recency=Recency(timedelta(days=30), 0.5))
    assert [p for _, p in positions(given)] == [1, 0]
    assert [p for _, p in positions(replace(given, query=replace(given.query, recency=None)))] == [0, 1]


def test_scores_are_explained() -> None:
    best, other = rank([candidates([4, 0], [0.5, 0.25])], NOW)
    assert (best.scores.lexical, best.scores.dense) == (4, 0.5)
    assert (best.scores.lexical_part, best.scores.dense_part, best.scores.value) == (0.5, 0.5, 1)
    assert (other.scores.lexical_part, other.scores.dense_part, other.scores.value) == (0, 0, 0)


def test_an_unknown_bm25_is_reported_as_0() -> None:
    picks = rank([candidates([4, float("nan")], [0.5, 0.5])], NOW)
    assert [pick.scores.lexical for pick in picks] == [4, 0]


few = st.integers(0, 5)
rows = st.lists(st.tuples(few, few, st.integers(0, 20), few, st.integers(0, 30)), max_size=40)


@given(st.lists(st.tuples(rows, st.integers(1, 8), st.booleans()), min_size=1, max_size=3))
def test_the_choice_is_that_of_the_plain_greedy_algorithm(
    sources: list[tuple[list[tuple[int, int, int, int, int]], int, bool]],
) -> None:
    given = []
    for found, limit, everywhere in sources:
        bm25, cosine, texts, documents, passages = zip(*found, strict=True) if found else ((), (), (), (), ())
        meaning = [value / 5 for value in cosine]
        given.append(
            candidates(bm25, meaning, texts=texts, documents=documents, passages=passages, limit=limit,
                       everywhere=everywhere)
        )  # fmt: skip
    picks = rank(given, NOW)
    assert [(p.source, p.position, p.duplicate_of is None) for p in picks] == _greedy(given)
    values = [pick.scores.value for pick in picks]
    assert values == sorted(values, reverse=True)
    assert all(_earlier(pick, picks) for pick in picks)


def _earlier(pick: Pick, picks: list[Pick]) -> bool:
    """Whether the one that stands for a passage was chosen before it."""
    other = pick.duplicate_of
    return other is None or (other.duplicate_of is None and picks.index(other) < picks.index(pick))


def _greedy(given: list[Candidates]) -> list[tuple[int, int, bool]]:
    """Again and again the best of all that is left."""
    words, meaning = fuse(given)
    base = np.split(words + meaning, np.cumsum([len(source.bm25) for source in given])[:-1])
    places = [source.query.limit for source in given]
    left = {(s, p) for s, source in enumerate(given) for p in range(len(source.bm25))}
    chosen: Counter[int] = Counter()
    texts: set[int] = set()
    result = []
    while left := {(s, p) for s, p in left if places[s]}:
        s, p = min(
            left, key=lambda at: (-base[at[0]][at[1]] * NOVELTY ** chosen[int(given[at[0]].documents[at[1]])], at)
        )
        passage, text = int(given[s].passages[p]), int(given[s].fingerprints[p])
        left = {at for at in left if int(given[at[0]].passages[at[1]]) != passage}
        result.append((s, p, text not in texts))
        if text not in texts:
            texts.add(text)
            chosen[int(given[s].documents[p])] += 1
            places[s] -= 1
    return result
