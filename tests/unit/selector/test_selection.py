"""Selection: what is chosen among candidates."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.selector.fusion import fuse
from services.selector.passage import SourceKind
from services.selector.query import Candidates, SourceQuery
from services.selector.selection import rank


def candidates(
    bm25: Sequence[float],
    cosine: Sequence[float] | None = None,
    *,
    limit: int = 10,
    texts: Sequence[int] | None = None,
    kind: SourceKind = SourceKind.DOCS,
) -> Candidates:
    return Candidates(
        SourceQuery("docs", kind, limit),
        np.array(bm25, np.float32),
        np.array(bm25 if cosine is None else cosine, np.float32),
        np.array(range(len(bm25)) if texts is None else texts, np.uint64),
    )


def positions(*given: Candidates) -> list[tuple[int, int]]:
    return [(pick.source, pick.position) for pick in rank(given)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([candidates([])], [], id="nothing"),
        pytest.param([candidates([1, 3, 2])], [(0, 1), (0, 2), (0, 0)], id="best first"),
        pytest.param([candidates([1, 3, 2], limit=2)], [(0, 1), (0, 2)], id="up to the limit"),
        pytest.param([candidates([2, 2, 2, 2], limit=2)], [(0, 0), (0, 1)], id="equals by position"),
        pytest.param([candidates([0, 4, 8]), candidates([0, 3, 4])], [(0, 2), (1, 2), (1, 1), (0, 1), (0, 0), (1, 0)],
                     id="sources by their own scale"),
        pytest.param([candidates([]), candidates([5])], [(1, 0)], id="an empty source"),
    ],
)  # fmt: skip
def test_order(given: list[Candidates], expected: list[tuple[int, int]]) -> None:
    assert positions(*given) == expected


def test_code_is_ranked_by_meaning_and_prose_by_both() -> None:
    words, meaning = [10, 6, 0], [0.1, 0.6, 0.9]
    assert [p for _, p in positions(candidates(words, meaning, kind=SourceKind.CODE))] == [2, 1, 0]
    assert [p for _, p in positions(candidates(words, meaning, kind=SourceKind.DOCS))] == [1, 0, 2]


def test_a_text_takes_one_place_and_its_copy_says_why_it_takes_none() -> None:
    picks = rank([candidates([9, 8, 7, 6], texts=[1, 1, 2, 3], limit=2)])
    assert [(p.position, p.duplicate_of and p.duplicate_of.position) for p in picks] == [(0, None), (1, 0), (2, None)]


def test_a_text_of_an_earlier_source_is_not_repeated() -> None:
    picks = rank([candidates([1, 0], texts=[7, 8]), candidates([1, 0.5, 0], texts=[8, 9, 7], limit=1)])
    assert {(p.source, p.position): p.duplicate_of and p.duplicate_of.source for p in picks} == {
        (0, 0): None,
        (0, 1): None,
        (1, 0): 0,
        (1, 1): None,
    }


def test_scores_are_explained() -> None:
    (best, _) = rank([candidates([4, 0], [0.5, 0.25])])
    assert (best.scores.bm25, best.scores.cosine, best.scores.fused) == (4, 0.5, 1)


few = st.integers(0, 6)


@given(st.lists(st.tuples(few, few, st.integers(0, 30)), max_size=80), st.integers(1, 12))
def test_the_choice_is_that_of_a_full_sort(rows: list[tuple[int, int, int]], limit: int) -> None:
    bm25, cosine, texts = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    given = candidates(bm25, cosine, texts=texts, limit=limit)
    fused = fuse(given.bm25, given.cosine, 0.5)
    expected: list[int] = []
    for position in sorted(range(len(rows)), key=lambda i: (-fused[i], i)):
        if len(expected) < limit and texts[position] not in {texts[p] for p in expected}:
            expected.append(position)
    assert [pick.position for pick in rank([given]) if pick.duplicate_of is None] == expected
