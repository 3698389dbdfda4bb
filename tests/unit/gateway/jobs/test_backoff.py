"""Pauses between attempts."""

from random import Random

import pytest

from services.gateway.jobs.backoff import pause


@pytest.mark.parametrize(
    ("attempt", "most"), [(1, 4.0), (2, 8.0), (3, 16.0), (4, 32.0), (5, 60.0), (10, 60.0), (99, 60.0)]
)
def test_a_pause_is_half_to_all_of_a_bound_that_doubles(attempt: int, most: float) -> None:
    pauses = [pause(attempt, Random(seed)) for seed in range(500)]
    assert all(most / 2 <= seconds <= most for seconds in pauses)
    assert min(pauses) < 0.55 * most
    assert max(pauses) > 0.95 * most
