"""Limits are data: what settings declare, which rules apply to a call, and what is refused at the start."""

import json
from typing import Any

import pytest

from services.chassis.settings import SettingsError, load_settings
from services.gateway.limits.declarations import LimitDeclarationError, declared_limits
from services.gateway.limits.rule import Rule, Rules
from services.gateway.settings import GatewaySettings

METHODS = ("BuildContext", "SubmitJob")


def declared(*rules: dict[str, Any]) -> Rules:
    return declared_limits(json.dumps(rules), METHODS)


def rule(**fields: Any) -> dict[str, Any]:
    return {"name": "minute", "seconds": 60, "requests": 100} | fields


def test_a_rule_has_the_fields_that_are_given_and_defaults_else() -> None:
    assert list(declared(rule())) == [Rule("minute", 60.0, requests=100)]
    full = rule(tenant="acme", method="BuildContext", seconds=0.5, tokens=9, shadow=True, when_away="closed")
    assert list(declared(full)) == [
        Rule("minute", 0.5, "acme", "BuildContext", requests=100, tokens=9, shadow=True, closed=True)
    ]


@pytest.mark.parametrize(
    ("tenant", "method", "applied"),
    [
        pytest.param("acme", "BuildContext", {"all": 100, "builds": 500, "acme-hour": 9}, id="own for those of all"),
        pytest.param("acme", "SubmitJob", {"all": 100, "acme-hour": 9}, id="only of the method"),
        pytest.param("other", "BuildContext", {"all": 100, "builds": 5}, id="those for all"),
        pytest.param("free", "SubmitJob", {"all": 10**9}, id="own first in the list"),
    ],
)
def test_a_tenants_own_rule_takes_the_place_of_that_for_all(tenant: str, method: str, applied: dict[str, int]) -> None:
    rules = declared(
        rule(name="all", tenant="free", requests=10**9),
        rule(name="all"),
        rule(name="builds", method="BuildContext", seconds=1, requests=5),
        rule(name="builds", method="BuildContext", seconds=1, requests=500, tenant="acme"),
        rule(name="acme-hour", tenant="acme", seconds=3600, requests=9),
    )
    assert {one.name: one.requests for one in rules.of(tenant, method)} == applied


def test_without_rules_none_applies() -> None:
    assert Rules().of("acme", "BuildContext") == ()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        pytest.param([rule(requests=0)], "0.requests", id="no request at all"),
        pytest.param([rule(tokens=0)], "0.tokens", id="no token at all"),
        pytest.param([rule(requests=None)], "0: neither requests nor tokens", id="nothing limited"),
        pytest.param([rule(), rule(name="b", seconds=0)], "1.seconds", id="no window"),
        pytest.param([rule(seconds=1e9)], "0.seconds", id="endless window"),
        pytest.param([rule(name="A b")], "0.name", id="name with a space"),
        pytest.param([rule(tenant="../x")], "0.tenant", id="tenant with a path"),
        pytest.param([rule(method="BuildContex")], "did you mean BuildContext?", id="unknown method"),
        pytest.param([rule(when_away="ajar")], "0.when_away", id="neither open nor closed"),
        pytest.param([rule(window=1)], "0.window", id="unknown field"),
        pytest.param([{"seconds": 1, "requests": 1}], "0.name: Field required", id="no name"),
        pytest.param([rule(), rule()], "1.name: 'minute' for tenant '*' stands at 0, too", id="twice"),
        pytest.param([rule(), rule(tenant="acme", seconds=61)], "1: rules with one name", id="one name, two windows"),
        pytest.param([rule(), rule(tenant="acme", method="SubmitJob")], "1: rules with one name", id="two methods"),
        pytest.param([rule(name=f"r{n}") for n in range(17)], "17 rules apply to one method", id="too many at once"),
        pytest.param({}, "Input should be a valid array", id="no list"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(rules: Any, said: str) -> None:
    with pytest.raises(LimitDeclarationError) as caught:
        declared_limits(json.dumps(rules), METHODS)
    assert said in str(caught.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(LimitDeclarationError) as caught:
        declared(rule(requests=-1), rule(name="", seconds="soon"))
    assert all(path in str(caught.value) for path in ("0.requests", "1.name", "1.seconds"))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        pytest.param([rule(method="Build")], "SCIC_GATEWAY_LIMITS", id="wrong"),
        pytest.param([rule()], "SCIC_GATEWAY_REDIS_URL", id="nobody who counts"),
    ],
)
def test_settings_refuse_them_at_the_start(monkeypatch: pytest.MonkeyPatch, limits: Any, said: str) -> None:
    monkeypatch.setenv("SCIC_GATEWAY_KEYS", '{"keys": []}')
    monkeypatch.setenv("SCIC_GATEWAY_LIMITS", json.dumps(limits))
    with pytest.raises(SettingsError) as caught:
        load_settings(GatewaySettings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("one", "granule"),
    [
        pytest.param(Rule("a", 60, requests=1024), 1, id="few requests: to the microsecond"),
        pytest.param(Rule("a", 60, requests=1025), 58_594, id="many requests: to 1/1024 of the window, rounded up"),
        pytest.param(Rule("a", 60, tokens=5), 58_594, id="tokens"),
        pytest.param(Rule("a", 60, requests=5, tokens=5), 1, id="both"),
    ],
)
def test_times_are_as_exact_as_memory_allows(one: Rule, granule: int) -> None:
    assert one.granule == granule
