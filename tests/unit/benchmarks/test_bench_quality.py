"""What the benchmark of the quality figures measures with."""

import pytest

from benchmarks.quality import auc


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [
        pytest.param([0.9, 0.8], [0.1, 0.2], 1.0, id="all above"),
        pytest.param([0.1], [0.9], 0.0, id="all below"),
        pytest.param([0.5, 0.5], [0.5], 0.5, id="equal"),
        pytest.param([0.2, 0.6], [0.4, 0.1], 0.75, id="three of four pairs"),
    ],
)
def test_auc_is_the_chance_that_the_better_is_above(better, worse, expected):
    assert auc(better, worse) == pytest.approx(expected)
