"""Sources are data: what is built in, what settings declare, and what they refuse."""

import json
from datetime import timedelta
from typing import Any

import pytest

from scic import errors
from scic.type.v1 import source_pb2
from services.chassis.settings import SettingsError, load_settings
from services.gateway.settings import GatewaySettings
from services.gateway.sources.declarations import SourceDeclarationError, declared_sources
from services.gateway.sources.source import BUILT_IN, Recency


def declared(**sources: Any):
    return declared_sources(json.dumps(sources))


def test_without_declarations_the_built_in_ones_are_known():
    assert declared() == BUILT_IN
    assert [name for name, source in BUILT_IN.items() if source.default] == ["code", "docs", "history"]
    assert BUILT_IN["history"].recency == Recency(timedelta(days=30), 0.15)


def test_a_new_source_has_the_fields_that_are_given_and_defaults_else():
    mail = declared(
        mail={
            "kind": "history",
            "default": True,
            "required": True,
            "recency": {"half_life_days": 7, "weight": 0.3},
            "backup": "history",
            "retention_days": 90,
            "deadline_share": 0.5,
        }
    )["mail"]
    assert (mail.name, mail.kind, mail.default, mail.required) == ("mail", source_pb2.SOURCE_KIND_HISTORY, True, True)
    assert (mail.recency, mail.backup) == (Recency(timedelta(days=7), 0.3), "history")
    assert (mail.retention, mail.deadline_share) == (timedelta(days=90), 0.5)
    assert (mail.default_text, mail.everywhere) == ("", False)
    assert (mail.priority, mail.min_share, mail.max_share) == (0.4, 0, 0)


def test_a_built_in_source_keeps_what_is_not_given():
    sources = declared(history={"required": False, "recency": None}, docs={"default_text": "See the manual."})
    assert (sources["history"].required, sources["history"].recency) == (False, None)
    assert sources["history"].kind == source_pb2.SOURCE_KIND_HISTORY
    assert (sources["docs"].default_text, sources["docs"].default) == ("See the manual.", True)
    assert sources["code"] == BUILT_IN["code"]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        pytest.param({"Mail": {}}, ["Mail: "], id="name"),
        pytest.param({"inline": {}}, ["inline: the name is taken"], id="reserved name"),
        pytest.param({"mail": {"kind": "post"}}, ["mail.kind: "], id="kind"),
        pytest.param({"mail": {"weight": 1}}, ["mail.weight: "], id="unknown field"),
        pytest.param({"mail": {"backup": "post"}}, ["mail.backup is 'post', which is no source of: code"], id="backup"),
        pytest.param({"mail": {"backup": "mail"}}, ["mail.backup: leads back to itself: mail > mail"], id="own backup"),
        pytest.param(
            {"a": {"backup": "b"}, "b": {"backup": "c"}, "c": {"backup": "a"}, "d": {"backup": "a"}},
            ["a.backup: leads back to itself: a > b > c > a", "b.backup: ", "c.backup: "],
            id="circle",
        ),
        pytest.param({"mail": {"deadline_share": 0}}, ["mail.deadline_share: "], id="deadline share"),
        pytest.param(
            {"mail": {"recency": {"half_life_days": 0, "weight": 2}}}, ["half_life_days", "weight"], id="recency"
        ),
        pytest.param(
            {"vectors": {"retention_days": 3}}, ["vectors.retention_days: "], id="retention of what holds nothing"
        ),
        pytest.param({"mail": {"priority": 0}}, ["mail.priority: "], id="priority"),
        pytest.param({"mail": {"priority": 1.1}}, ["mail.priority: "], id="priority above all"),
        pytest.param({"mail": {"min_share": -0.1}}, ["mail.min_share: "], id="floor"),
        pytest.param({"mail": {"max_share": 1.1}}, ["mail.max_share: "], id="bound"),
        pytest.param(
            {"mail": {"min_share": 0.3, "max_share": 0.2}},
            ["mail.max_share is 0.2, less than its min_share, 0.3"],
            id="bound below the floor",
        ),
        pytest.param(
            {"mail": {"min_share": 0.6}, "docs": {"min_share": 0.5}},
            ["min_share of all sources together is 1.1, more than 1"],
            id="floors above the whole",
        ),
        pytest.param({"vectors": {"min_share": 0.3}}, ["vectors.min_share: "], id="share of what holds nothing"),
        pytest.param({f"s{n}": {} for n in range(27)}, ["31 sources: 30 at most"], id="too many"),
        pytest.param(
            {name: {"default": False} for name in ("docs", "code", "history")}, ["0 sources"], id="no default"
        ),
        pytest.param({f"s{n}": {"default": True} for n in range(14)}, ["17 sources"], id="too many defaults"),
        pytest.param({"a": {"kind": "x"}, "b": {"backup": 3}}, ["a.kind: ", "b.backup: "], id="several"),
    ],
)
def test_every_mistake_is_named(sources, said):
    with pytest.raises(SourceDeclarationError) as caught:
        declared(**sources)
    assert [part for part in said if part not in str(caught.value)] == []
    assert "d.backup" not in str(caught.value)


@pytest.mark.parametrize("value", ["{", "[]", "3", '"docs"'])
def test_what_is_no_object_is_a_mistake_of_the_setting(monkeypatch, value):
    monkeypatch.setenv("SCIC_GATEWAY_KEYS", '{"keys": []}')
    monkeypatch.setenv("SCIC_GATEWAY_SOURCES", value)
    with pytest.raises(SettingsError, match=r"^SCIC_GATEWAY_SOURCES is .*; expected: a JSON object of sources; "):
        load_settings(GatewaySettings)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param('["["', "; expected: Invalid JSON: ", id="no JSON"),
        pytest.param('{"a": 1}', "; expected: a valid tuple", id="no list"),
        pytest.param('[""]', "is ''; expected: String should have at least 1 character", id="empty pattern"),
        pytest.param(f'["{"x" * 257}"]', "; expected: String should have at most 256 characters", id="long pattern"),
        pytest.param(json.dumps(["x"] * 17), "; expected: Tuple should have at most 16 items", id="too many"),
    ],
)
def test_pin_patterns_are_checked_at_the_start(monkeypatch, value, said):
    monkeypatch.setenv("SCIC_GATEWAY_KEYS", '{"keys": []}')
    monkeypatch.setenv("SCIC_GATEWAY_PIN_PATTERNS", value)
    with pytest.raises(SettingsError, match=r"^SCIC_GATEWAY_PIN_PATTERNS is ") as caught:
        load_settings(GatewaySettings)
    assert said in str(caught.value)


def test_pin_patterns_are_a_json_list(monkeypatch):
    monkeypatch.setenv("SCIC_GATEWAY_KEYS", '{"keys": []}')
    assert load_settings(GatewaySettings).pin_patterns == ()
    monkeypatch.setenv("SCIC_GATEWAY_PIN_PATTERNS", '["SKU-[0-9]{4}"]')
    assert load_settings(GatewaySettings).pin_patterns == ("SKU-[0-9]{4}",)


def test_an_unknown_source_is_refused_by_field_with_the_names_that_would_do():
    with pytest.raises(errors.ScicError) as caught:
        BUILT_IN.find("mail", field="sources[0].name")
    assert caught.value.reason == "UNKNOWN_SOURCE"
    assert caught.value.metadata["valid"] == "code, docs, history, vectors"
    assert [violation.field for violation in caught.value.field_violations] == ["sources[0].name"]


def test_no_document_belongs_to_what_is_searched_everywhere():
    assert list(BUILT_IN.holding) == ["code", "docs", "history"]
