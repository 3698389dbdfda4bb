"""Whether it is worth a look if one for whom nothing can be built is served all the same."""

from random import Random

import pytest

from services.gateway.admission.prospects import Prospects


def share_looked_for(prospects: Prospects, served: float, *, seed: int = 7, asked: int = 4_000) -> float:
    """Part of `asked` callers that is looked for, where a look serves this part of them."""
    random, looks = Random(seed), 0
    for _ in range(asked):
        if prospects.worth_a_look:
            looks += 1
            prospects.looked(served=random.random() < served)
    return looks / asked


@pytest.mark.parametrize(
    ("served", "least", "most"),
    [
        pytest.param(0.6, 1.0, 1.0, id="questions that repeat"),
        pytest.param(0.15, 0.95, 1.0, id="some that repeat"),
        pytest.param(0.0, 0.12, 0.22, id="none that repeats"),
    ],
)
def test_where_questions_repeat_everybody_is_looked_for(served: float, least: float, most: float) -> None:
    assert least <= share_looked_for(Prospects(draw=Random(3).random), served) <= most


def test_that_questions_repeat_again_is_noticed() -> None:
    prospects = Prospects(draw=Random(3).random)
    share_looked_for(prospects, 0.0)
    assert share_looked_for(prospects, 0.6, asked=1_000) > 0.95


def test_at_first_everybody_is_looked_for() -> None:
    prospects = Prospects(draw=lambda: 1.0)
    for _ in range(200):
        assert prospects.worth_a_look
        prospects.looked(served=False)
