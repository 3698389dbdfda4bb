"""Recency: what age takes away."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.selector.query import Recency
from services.selector.recency import recency_factors

NOW = datetime(2026, 5, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


@pytest.mark.parametrize(
    ("age", "weight", "expected"),
    [
        pytest.param(timedelta(0), 0.4, 1, id="new"),
        pytest.param(MONTH, 0.4, 0.8, id="the half-life takes half of the weight"),
        pytest.param(2 * MONTH, 0.4, 0.7, id="twice the half-life three quarters"),
        pytest.param(1000 * MONTH, 0.4, 0.6, id="ancient: all of the weight"),
        pytest.param(MONTH, 1, 0.5, id="the whole score"),
        pytest.param(-MONTH, 0.4, 1, id="dated ahead: new"),
        pytest.param(None, 0.4, 0.8, id="unknown: as old as the half-life"),
    ],
)
def test_factor(age: timedelta | None, weight: float, expected: float) -> None:
    created = np.array([np.nan if age is None else (NOW - age).timestamp()])
    assert recency_factors(created, NOW, Recency(MONTH, weight)) == pytest.approx([expected])


def test_where_age_does_not_matter_every_factor_is_1() -> None:
    assert recency_factors(np.array([0, np.nan, NOW.timestamp()]), NOW, None).tolist() == [1, 1, 1]
