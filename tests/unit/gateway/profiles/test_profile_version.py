"""A version is what a recipe says, however it says it."""

import subprocess
import sys

import pytest
from hypothesis import given

from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2
from services.gateway.profiles.recipe import domain_profile
from services.gateway.profiles.version import normalised, version_of
from tests.unit.gateway.profiles.kit import BASE
from tests.unit.gateway.profiles.recipes import RECIPES

SECRET, EMAIL = guard_pb2.SENSITIVE_TYPE_SECRET, guard_pb2.SENSITIVE_TYPE_EMAIL
ALLOW, MASK, DROP = guard_pb2.GUARD_ACTION_ALLOW, guard_pb2.GUARD_ACTION_MASK, guard_pb2.GUARD_ACTION_DROP


def version(**fields):
    return version_of(normalised(pb.Profile(**fields)))


def guard(*rules, **fields):
    return guard_pb2.Guard(rules=[guard_pb2.GuardRule(type=type_, action=action) for type_, action in rules], **fields)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({}, {"format": prompt_pb2.PROMPT_FORMAT_OPENAI}, id="format"),
        pytest.param({"instructions": "Answer."}, {"instructions": "Answer.\n\n"}, id="line ends of instructions"),
        pytest.param({}, {"order": prompt_pb2.EVIDENCE_ORDER_BY_SCORE}, id="order"),
        pytest.param({}, {"conversation_share": 0.5}, id="conversation share"),
        pytest.param({}, {"guard": guard()}, id="a guard that says nothing"),
        pytest.param({}, {"guard": guard((SECRET, MASK), (EMAIL, ALLOW))}, id="rules that hold anyway"),
        pytest.param(
            {"guard": guard((EMAIL, DROP), (SECRET, ALLOW))},
            {"guard": guard((SECRET, ALLOW), (EMAIL, DROP))},
            id="order of rules",
        ),
        pytest.param(
            {"sources": [pb.ProfileSource(name="docs"), pb.ProfileSource(name="code")]},
            {"sources": [pb.ProfileSource(name="code"), pb.ProfileSource(name="docs")]},
            id="order of sources",
        ),
        pytest.param(
            {"tools": [prompt_pb2.Tool(name="t", parameters_json='{"type":"object"}')]},
            {"tools": [prompt_pb2.Tool(name="t", parameters_json=' {"type" : "object"}\n')]},
            id="white space of parameters",
        ),
    ],
)
def test_the_same_said_in_another_way_is_one_version(one, other):
    assert version(**one) == version(**other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({}, {"conversation_share": 0.0}, id="no conversation is not the default"),
        pytest.param({}, {"guard": guard((EMAIL, MASK))}, id="a rule"),
        pytest.param({}, {"guard": guard(restore=True)}, id="restore"),
        pytest.param(
            {"sources": [pb.ProfileSource(name="docs")]},
            {"sources": [pb.ProfileSource(name="docs", required=False)]},
            id="a source that is said to be optional",
        ),
        pytest.param({"pin_patterns": ["a", "b"]}, {"pin_patterns": ["b", "a"]}, id="order of patterns"),
        pytest.param(
            {"tools": [prompt_pb2.Tool(name="t", parameters_json='{"type":"object","title":"x"}')]},
            {"tools": [prompt_pb2.Tool(name="t", parameters_json='{"title":"x","type":"object"}')]},
            id="order of keys stands in the prompt",
        ),
    ],
)
def test_what_means_something_else_is_another_version(one, other):
    assert version(**one) != version(**other)


@given(RECIPES)
def test_to_normalise_changes_no_meaning_and_is_done_once(recipe):
    once = normalised(recipe)
    assert normalised(once) == once
    assert domain_profile("p", "v", once, BASE) == domain_profile("p", "v", normalised(once), BASE)
    before, after = domain_profile("p", "v", recipe, BASE), domain_profile("p", "v", once, BASE)
    assert after.instructions == (recipe.instructions.rstrip("\n") or BASE.instructions)
    for field in ("model", "format", "order", "conversation_share", "guard", "sources", "max_tokens"):
        assert getattr(before, field) == getattr(after, field)


def test_what_a_newer_client_says_beyond_our_fields_is_no_part_of_it():
    known = pb.Profile(instructions="Answer.")
    unknown_field = b"\xf8\x07\x01"  # number 127, a varint
    assert version_of(normalised(pb.Profile.FromString(known.SerializeToString() + unknown_field))) == version_of(known)


def test_a_version_is_the_same_on_every_machine():
    """In another process with another hash seed, and for good: versions are kept by users."""
    fields = (
        "description='d', instructions='Answer.', max_tokens=500, sources=[pb.ProfileSource(name='docs', priority=0.3)]"
    )
    code = (
        "from scic.gateway.v1 import profile_service_pb2 as pb\n"
        "from services.gateway.profiles.version import *\n"
        f"print(version_of(normalised(pb.Profile({fields}))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "afa696fc6683822c"
