"""Pauses between attempts."""

from random import Random

import pytest

from services.gateway.jobs.backoff import pause


@pytest.mark.parametrize(
    ("attempt", "most"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (10, 60.0), (99, 60.0)]
)
def test_a_pause_is_anything_up_to_a_bound_that_doubles(attempt: int, most: float) -> None:
    pauses = [pause(attempt, Random(seed)) for seed in range(500)]
    assert all(0 <= seconds <= most for seconds in pauses)
    assert min(pauses) < 0.1 * most
    assert max(pauses) > 0.9 * most
