"""What changed between two versions."""

import json

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given

from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2
from services.gateway.profiles.diff import changes
from services.gateway.profiles.version import normalised
from tests.unit.gateway.profiles.recipes import RECIPES

EMAIL, SECRET = guard_pb2.SENSITIVE_TYPE_EMAIL, guard_pb2.SENSITIVE_TYPE_SECRET
ALLOW, MASK, DROP = guard_pb2.GUARD_ACTION_ALLOW, guard_pb2.GUARD_ACTION_MASK, guard_pb2.GUARD_ACTION_DROP


def told(before, after):
    return [(change.field, change.before, change.after) for change in changes(before, after)]


def test_fields_come_in_the_order_of_the_recipe_with_json_values():
    before = pb.Profile(
        instructions="Answer.",
        max_tokens=500,
        tools=[prompt_pb2.Tool(name="look_up", description="Looks.")],
        sources=[pb.ProfileSource(name="code"), pb.ProfileSource(name="docs", priority=0.4)],
        pin_patterns=["a"],
    )
    after = pb.Profile(
        instructions="Answer in\nPolish: „ą”.",
        model="gpt-4",
        tools=[prompt_pb2.Tool(name="look_up", description="Looks up.")],
        sources=[pb.ProfileSource(name="docs", priority=0.8, required=False)],
        conversation_share=0.0,
        order=prompt_pb2.EVIDENCE_ORDER_BY_SOURCE,
        pin_patterns=["a", "b"],
        deadline=Duration(seconds=2, nanos=500_000_000),
        guard=guard_pb2.Guard(rules=[guard_pb2.GuardRule(type=EMAIL, action=guard_pb2.GUARD_ACTION_DROP)]),
    )
    assert told(before, after) == [
        ("instructions", '"Answer."', '"Answer in\\nPolish: „ą”."'),
        ("model", "", '"gpt-4"'),
        ("max_tokens", "500", ""),
        ("tools[look_up].description", '"Looks."', '"Looks up."'),
        ("sources[code].name", '"code"', ""),
        ("sources[docs].priority", "0.4", "0.8"),
        ("sources[docs].required", "", "false"),
        ("conversation_share", "", "0.0"),
        ("order", "", '"EVIDENCE_ORDER_BY_SOURCE"'),
        ("pin_patterns[1]", "", '"b"'),
        ("guard.email", '"GUARD_ACTION_ALLOW"', '"GUARD_ACTION_DROP"'),
        ("deadline", "", '"2.500s"'),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({SECRET: DROP}, {SECRET: MASK}, [("guard.secret", DROP, MASK)], id="another action"),
        pytest.param({SECRET: DROP}, {}, [("guard.secret", DROP, MASK)], id="what holds without a rule"),
        pytest.param({}, {EMAIL: MASK}, [("guard.email", ALLOW, MASK)], id="a new rule"),
        pytest.param({EMAIL: MASK, SECRET: DROP}, {SECRET: DROP}, [("guard.email", MASK, ALLOW)], id="one of two"),
        pytest.param({SECRET: MASK}, {}, [], id="a rule that holds anyway"),
    ],
)
def test_a_rule_of_the_guard_is_one_change(before, after, expected):
    one, other = (
        normalised(
            pb.Profile(guard=guard_pb2.Guard(rules=[guard_pb2.GuardRule(type=t, action=a) for t, a in rules.items()]))
        )
        for rules in (before, after)
    )
    assert told(one, other) == [
        (field, *(json.dumps(guard_pb2.GuardAction.Name(action)) for action in actions)) for field, *actions in expected
    ]


@given(RECIPES, RECIPES)
def test_both_ways_tell_the_same_and_equal_recipes_nothing(one, other):
    assert changes(one, one) == []
    there = {(field, before, after) for field, before, after in told(one, other)}
    assert there == {(field, after, before) for field, before, after in told(other, one)}
    for _, before, after in there:
        assert before != after
        for value in filter(None, (before, after)):
            json.loads(value)
