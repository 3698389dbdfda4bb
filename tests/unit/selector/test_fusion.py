"""Fusion: a convex sum of min-max normalised scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from services.selector.fusion import DENSE_SHARE, fuse, min_max
from services.selector.passage import SourceKind


def column(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([2, 6, 4], [0, 1, 0.5], id="stretched"),
        pytest.param([-1, 0, 1], [0, 0.5, 1], id="negative cosines"),
        pytest.param([3], [1], id="a single one is the best"),
        pytest.param([3, 3], [1, 1], id="equal ones are all best"),
        pytest.param([0, 0], [0, 0], id="unless nothing matched"),
    ],
)
def test_min_max(scores: list[float], expected: list[float]) -> None:
    assert min_max(column(*scores)).tolist() == expected


def test_the_share_weighs_meaning_against_words() -> None:
    assert fuse(column(0, 10), column(0.8, 0.2), 0.75).tolist() == [0.75, 0.25]


def test_every_kind_has_a_share_and_code_leans_on_meaning() -> None:
    assert set(DENSE_SHARE) == set(SourceKind)
    assert DENSE_SHARE[SourceKind.CODE] > DENSE_SHARE[SourceKind.DOCS]


finite = st.floats(-100, 100, width=32)


@given(st.integers(0, 20).flatmap(lambda n: st.tuples(*[arrays(np.float32, n, elements=finite)] * 2)), st.floats(0, 1))
def test_fused_scores_are_from_0_to_1_and_respect_both_rankings(
    scores: tuple[NDArray[np.float32], NDArray[np.float32]],
    share: float,
) -> None:
    bm25, cosine = scores
    fused = fuse(bm25, cosine, share)
    assert fused.shape == bm25.shape
    assert ((fused >= 0) & (fused <= 1 + 1e-6)).all()
    for i in range(len(fused)):
        for j in range(len(fused)):
            if bm25[i] >= bm25[j] and cosine[i] >= cosine[j]:
                assert fused[i] >= fused[j] - 1e-6
