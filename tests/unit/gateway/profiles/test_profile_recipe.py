"""What a published recipe is on a server, field by field."""

import dataclasses

import pytest
from google.protobuf.duration_pb2 import Duration

from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2
from services.gateway.guard.policy import Action, SensitiveType
from services.gateway.profiles.recipe import domain_profile
from tests.unit.gateway.profiles.kit import BASE

TOOL = prompt_pb2.Tool(name="look_up")
EXAMPLE = prompt_pb2.Example(question="q", answer="a")


def domain(base=BASE, **fields):
    return domain_profile("support", "v", pb.Profile(**fields), base)


def test_a_recipe_that_is_silent_is_the_servers_own_profile():
    assert domain() == dataclasses.replace(BASE, name="support", version="v")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instructions", "Answer."),
        ("model", "gpt-4"),
        ("encoding", "cl100k_base"),
        ("format", prompt_pb2.PROMPT_FORMAT_ANTHROPIC),
        ("max_tokens", 900),
        ("reserved_output_tokens", 90),
        ("conversation_share", 0.0),
        ("order", prompt_pb2.EVIDENCE_ORDER_BY_SOURCE),
        pytest.param("tools", [TOOL], id="tools"),
        pytest.param("examples", [EXAMPLE], id="examples"),
    ],
)
def test_what_a_recipe_says_holds(field, value):
    expected = tuple(value) if isinstance(value, list) else value
    assert getattr(domain(**{field: value}), field) == expected


def test_the_deadline_is_the_recipes_or_the_servers():
    base = dataclasses.replace(BASE, deadline_seconds=4.0)
    assert domain(base, deadline=Duration(seconds=2, nanos=500_000_000)).deadline_seconds == 2.5
    assert domain(base).deadline_seconds == 4.0
    assert domain().deadline_seconds is None


def test_sources_that_are_named_are_searched_and_the_others_stay_known():
    said = [pb.ProfileSource(name="docs", limit=7, priority=0.9, min_share=0.3, max_share=0.6, required=True)]
    profile = domain(sources=said)
    docs = profile.sources["docs"]
    assert [name for name, source in profile.sources.items() if source.default] == ["docs"]
    assert list(profile.sources) == list(BASE.sources)
    assert (docs.priority, docs.min_share, docs.max_share, docs.required) == (0.9, 0.3, 0.6, True)
    assert (profile.source_limit("docs", 4000), profile.source_limit("code", 0)) == (7, 8)
    assert docs.backup == "vectors"


def test_a_source_that_is_not_searched_by_default_is_where_a_recipe_names_it():
    profile = domain(sources=[pb.ProfileSource(name="vectors")])
    assert [name for name, source in profile.sources.items() if source.default] == ["vectors"]


def test_a_source_that_says_nothing_more_is_as_the_server_declares():
    history = domain(sources=[pb.ProfileSource(name="history")]).sources["history"]
    assert history == BASE.sources["history"]
    assert not domain(sources=[pb.ProfileSource(name="history", required=False)]).sources["history"].required


def test_shares_that_sum_to_one_do_so_after_they_travelled():
    said = [pb.ProfileSource(name=name, min_share=share) for name, share in (("docs", 0.7), ("code", 0.3))]
    assert sum(source.min_share for source in domain(sources=said).sources.values()) == 1.0


def test_a_source_that_the_server_declares_no_longer_is_left_out():
    profile = domain(sources=[pb.ProfileSource(name="tickets"), pb.ProfileSource(name="code")])
    assert [name for name, source in profile.sources.items() if source.default] == ["code"]
    assert domain(sources=[pb.ProfileSource(name="tickets")]).sources == BASE.sources


def test_patterns_stand_beside_those_of_the_server():
    base = dataclasses.replace(BASE, pin_patterns=("a", "b"))
    assert domain(base, pin_patterns=["b", "c"]).pin_patterns == ("a", "b", "c")


def test_the_guard_is_the_recipes():
    rule = guard_pb2.GuardRule(type=guard_pb2.SENSITIVE_TYPE_EMAIL, action=guard_pb2.GUARD_ACTION_DROP)
    guard = domain(guard=guard_pb2.Guard(rules=[rule], restore=True)).guard
    assert (guard.actions[SensitiveType.EMAIL], guard.actions[SensitiveType.SECRET]) == (Action.DROP, Action.MASK)
    assert guard.restore
