"""Whether it is worth a look if one for whom nothing can be built is served all the same."""

from random import Random

import pytest

from services.gateway.admission import prospects
from services.gateway.admission.prospects import Prospects


def share_looked_for(given: Prospects, served: float, *, tenant: str = "acme", asked: int = 20_000) -> float:
    """Part of those who ask that is looked for, where a look serves this part of them."""
    random, looks = Random(7), 0
    for _ in range(asked):
        if given.worth_a_look(tenant):
            looks += 1
            given.looked(tenant, served=random.random() < served)
    return looks / asked


@pytest.fixture
def given() -> Prospects:
    return Prospects(draw=Random(3).random)


@pytest.mark.parametrize(
    ("served", "least", "most"),
    [
        pytest.param(0.6, 1.0, 1.0, id="questions that repeat"),
        pytest.param(0.05, 0.97, 1.0, id="some that repeat"),
        pytest.param(0.0, 0.12, 0.15, id="none that repeats"),
    ],
)
def test_where_questions_repeat_everybody_is_looked_for(
    given: Prospects, served: float, least: float, most: float
) -> None:
    assert least <= share_looked_for(given, served) <= most


def test_that_questions_repeat_again_is_noticed(given: Prospects) -> None:
    share_looked_for(given, 0.0)
    assert share_looked_for(given, 0.6, asked=1_000) > 0.95


def test_a_tenant_fares_as_its_own_requests_do(given: Prospects) -> None:
    share_looked_for(given, 0.0)
    assert share_looked_for(given, 0.0, tenant="other", asked=128) == 1.0


def test_of_many_tenants_the_one_asked_for_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prospects, "_MOST_TENANTS", 2)
    given = Prospects(draw=lambda: 1.0)
    for tenant in ("a", "b"):
        share_looked_for(given, 0.0, tenant=tenant, asked=128)
    given.looked("a", served=False)
    share_looked_for(given, 0.0, tenant="c", asked=128)
    assert [given.worth_a_look(tenant) for tenant in ("a", "b", "c")] == [False, True, False]
