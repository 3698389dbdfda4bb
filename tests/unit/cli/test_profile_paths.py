"""Fields of the API in the words of a file."""

import pytest

from scic.cli.profile_paths import path_in_file, path_of_change
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2

RULES = [
    guard_pb2.GuardRule(type=guard_pb2.SENSITIVE_TYPE_EMAIL),
    guard_pb2.GuardRule(type=guard_pb2.SENSITIVE_TYPE_IP_ADDRESS),
]
PROFILE = pb.Profile(
    sources=[pb.ProfileSource(name="docs"), pb.ProfileSource(name="mail")], guard=guard_pb2.Guard(rules=RULES)
)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("name", "name"),
        ("profile.max_tokens", "max_tokens"),
        ("profile.sources", "sources"),
        ("profile.sources[0].priority", "sources.docs.priority"),
        ("profile.sources[1].name", "sources.mail"),
        ("profile.sources[1]", "sources.mail"),
        ("profile.tools[12].parameters_json", "tools[12].parameters"),
        ("profile.tools[0].name", "tools[0].name"),
        ("profile.examples[0].answer", "examples[0].answer"),
        ("profile.guard.rules", "guard"),
        ("profile.guard.rules[1].action", "guard.ip_address"),
        ("profile.guard.rules[0].type", "guard.email"),
        ("profile.guard.restore", "guard.restore"),
    ],
)
def test_a_field_of_a_refusal_is_named_by_its_place(field, path):
    assert path_in_file(field, PROFILE) == path


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("sources[docs].priority", "sources.docs.priority"),
        ("tools[find_order].parameters_json", "tools[find_order].parameters"),
        ("guard.secret", "guard.secret"),
        ("pin_patterns[0]", "pin_patterns[0]"),
    ],
)
def test_a_field_of_a_comparison_is_named_by_its_place(field, path):
    assert path_of_change(field) == path
