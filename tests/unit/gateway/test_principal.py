"""API keys: who a key is, and what is said of a file that is not right."""

import hashlib
import json

import pytest

from services.gateway.principal import KeyFileError, Principal, Role, parse_keys, read_keys


def entry(key: str, **changes: object) -> dict[str, object]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"id": "one", "sha256": digest, "tenant": "acme", "roles": ["reader"]} | changes


def test_a_key_names_its_principal_and_another_names_nobody():
    keys = parse_keys(json.dumps({"keys": [entry("secret")]}), origin="x")
    assert keys.find("secret") == Principal("one", "acme", frozenset({Role.READER}))
    assert keys.find("Secret") is None


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        pytest.param([entry("a", tenant="../b")], "keys.0.tenant", id="tenant with a path"),
        pytest.param([entry("a", roles=["king"])], "keys.0.roles", id="unknown role"),
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
