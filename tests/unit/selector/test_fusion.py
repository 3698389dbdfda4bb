"""Fusion: the convex sum of words and meaning, on one scale for all sources."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.selector.fusion import DENSE_SHARE, fuse, scale_meaning, scale_words
from services.selector.passage import SourceKind
from tests.unit.selector.candidates import candidates

NAN = float("nan")


def column(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


@pytest.mark.parametrize(
    ("bm25", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([2, 8, 4], [0.25, 1, 0.5], id="as part of the best"),
        pytest.param([3], [1], id="a single one is the best"),
        pytest.param([6, 5.7], [1, 0.95], id="of two that fit none is worthless"),
        pytest.param([0, 0], [0, 0], id="nothing matched"),
    ],
)
def test_scale_of_words(bm25: list[float], expected: list[float]) -> None:
    assert scale_words(column(*bm25)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("cosine", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([0.3, 0.7, 0.5], [0, 1, 0.5], id="between worst and best"),
        pytest.param([0.5, 0.55], [0.8, 1], id="of two that fit none is worthless"),
        pytest.param([0.6], [1], id="a single good one"),
        pytest.param([0.1], [0.4], id="a single bad one"),
        pytest.param([-0.2], [0], id="a single one that is opposed"),
        pytest.param([-0.6, 0.325, 0.6], [0, 0.5, 1], id="the worst does not stretch the scale"),
    ],
)
def test_scale_of_meaning(cosine: list[float], expected: list[float]) -> None:
    assert scale_meaning(column(*cosine)) == pytest.approx(expected)


def test_the_share_weighs_meaning_against_words() -> None:
    words, meaning = fuse([candidates([0, 10], [0.8, 0.2], kind=SourceKind.CODE)])
    assert words == pytest.approx([0, 0.25])
    assert meaning == pytest.approx([0.75, 0], abs=0.06)


def test_every_kind_has_a_share_and_code_leans_on_meaning() -> None:
    assert set(DENSE_SHARE) == set(SourceKind)
    assert DENSE_SHARE[SourceKind.CODE] > DENSE_SHARE[SourceKind.DOCS]


def test_a_source_whose_best_is_bad_has_no_good_ones() -> None:
    words, meaning = fuse([candidates([20, 10], [0.7, 0.6]), candidates([2, 1], [0.15, 0.15])])
    assert words == pytest.approx([0.5, 0.25, 0.05, 0.025])
    assert meaning == pytest.approx([0.5, 0.409, 0, 0], abs=0.001)


@pytest.mark.parametrize(
    ("bm25", "expected"),
    [
        pytest.param([8, NAN, 4], [0.5, 0.25, 0.25], id="the least that is known"),
        pytest.param([NAN, NAN], [0, 0], id="nothing is known"),
    ],
)
def test_unknown_bm25(bm25: list[float], expected: list[float]) -> None:
    words, _ = fuse([candidates(bm25, [0.5] * len(bm25))])
    assert words == pytest.approx(expected)


def test_what_is_searched_everywhere_has_no_part_of_words() -> None:
    words, meaning = fuse([candidates([9, 1], [0.3, 0.6], everywhere=True)])
    assert words.tolist() == [0, 0]
    assert meaning[1] == 0.5 > meaning[0]


scores = st.lists(
    st.tuples(st.one_of(st.just(NAN), st.floats(0, 100, width=32)), st.floats(-1, 1, width=32)), max_size=9
)


@given(st.lists(st.tuples(scores, st.sampled_from(SourceKind)), min_size=1, max_size=4))
def test_parts_add_up_to_0_to_1_and_respect_both_rankings(
    sources: list[tuple[list[tuple[float, float]], SourceKind]],
) -> None:
    given = [candidates([b for b, _ in rows], [c for _, c in rows], kind=kind) for rows, kind in sources]
    words, meaning = fuse(given)
    assert len(words) == len(meaning) == sum(len(rows) for rows, _ in sources)
    assert np.all((words >= 0) & (meaning >= 0) & (words + meaning <= 1 + 1e-9))
    start = 0
    for rows, _ in sources:
        for i, (bm25, cosine) in enumerate(rows, start):
            for j, (other_bm25, other_cosine) in enumerate(rows, start):
                assert not bm25 > other_bm25 or words[i] >= words[j]
                assert not cosine > other_cosine or meaning[i] >= meaning[j]
        start += len(rows)
