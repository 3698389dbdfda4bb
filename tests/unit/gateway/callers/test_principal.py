"""API keys: who a key is, and what is said of a file that is not right."""

import hashlib
import json

import pytest

from services.gateway.admission.priority import Priority
from services.gateway.callers.principal import KeyFileError, KeyRing, Principal, Role, parse_keys, read_keys


def entry(key: str, **changes: object) -> dict[str, object]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"id": "one", "sha256": digest, "tenant": "acme", "roles": ["reader"]} | changes


def test_a_key_names_its_principal_and_another_names_nobody():
    keys = parse_keys(json.dumps({"keys": [entry("secret")]}), origin="x")
    assert keys.find("secret") == Principal("one", "acme", frozenset({Role.READER}))
    assert keys.find("Secret") is None


@pytest.mark.parametrize(
    ("groups", "seen", "sees_all"),
    [
        pytest.param([], set(), False, id="none"),
        pytest.param(["hr", "a.b_c@d:e/f+g-1"], {"hr", "a.b_c@d:e/f+g-1"}, False, id="some"),
        pytest.param(["*"], set(), True, id="all"),
        pytest.param(["hr", "*"], set(), True, id="all says it all"),
    ],
)
def test_a_key_has_groups(groups, seen, sees_all):
    keys = parse_keys(json.dumps({"keys": [entry("secret", groups=groups)]}), origin="x")
    expected = Principal("one", "acme", frozenset({Role.READER}), frozenset(seen), sees_all)
    assert keys.find("secret") == expected


def test_a_key_without_groups_has_none():
    keys = parse_keys(json.dumps({"keys": [entry("secret")]}), origin="x")
    principal = keys.find("secret")
    assert principal is not None
    assert (principal.groups, principal.sees_all) == (frozenset(), False)


@pytest.mark.parametrize("priority", [Priority.HIGH, Priority.NORMAL, Priority.LOW])
def test_a_key_has_a_priority(priority):
    keys = parse_keys(json.dumps({"keys": [entry("secret", priority=priority.label)]}), origin="x")
    principal = keys.find("secret")
    assert principal is not None
    assert principal.priority is priority


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        pytest.param([entry("a", priority="batch")], "keys.0.priority", id="priority that no key has"),
        pytest.param([entry("a", tenant="../b")], "keys.0.tenant", id="tenant with a path"),
        pytest.param([entry("a", roles=["king"])], "keys.0.roles", id="unknown role"),
        pytest.param([entry("a", groups=["h r"])], "keys.0.groups", id="group with a space"),
        pytest.param([entry("a", groups=["hr*"])], "keys.0.groups", id="group with a star"),
        pytest.param([entry("a", groups=[""])], "keys.0.groups", id="empty group"),
        pytest.param([entry("a", groups=["hr\n"])], "keys.0.groups", id="group with a line break"),
        pytest.param([entry("a", groups=["x" * 129])], "keys.0.groups", id="group too long"),
        pytest.param([entry("a", groups=[f"g{n}" for n in range(257)])], "keys.0.groups", id="too many groups"),
        pytest.param([entry("a", groups="hr")], "keys.0.groups", id="groups that are no list"),
        pytest.param([entry("a", sha256="00")], "keys.0.sha256", id="no digest"),
        pytest.param([entry("a", extra=1)], "keys.0.extra", id="unknown field"),
        pytest.param([entry("a"), entry("b")], "stands twice: one", id="id twice"),
        pytest.param([entry("a"), entry("a", id="two")], "stands twice", id="key twice"),
    ],
)
def test_a_wrong_file_is_named_with_the_field(entries, said):
    with pytest.raises(KeyFileError, match=said):
        parse_keys(json.dumps({"keys": entries}), origin="keys.json")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(KeyFileError, match=r"missing\.json"):
        read_keys(tmp_path / "missing.json")


def test_a_principal_is_found_by_the_name_of_its_key() -> None:
    anna = Principal("anna", "acme", frozenset({Role.READER}))
    keys = KeyRing({b"digest": anna})
    assert keys.by_id("anna") == anna
    assert keys.by_id("ben") is None
