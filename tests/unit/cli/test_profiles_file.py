"""Recipes as YAML: what people may write, what is refused and how, and that nothing is lost on the way back."""

import re

import pytest
from google.protobuf import duration_pb2
from hypothesis import given, settings

from scic.cli.profile_file import read_profile, write_profile
from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2
from services.gateway.profiles.version import normalised, version_of
from tests.unit.gateway.profiles.recipes import RECIPES

FULL = """\
name: support
description: For the help desk.
instructions: |
  Answer in one paragraph.
  Cite what you use.
model: gpt-4o
encoding: o200k_base
format: anthropic
max_tokens: 6000
reserved_output_tokens: 800
conversation_share: 0.3
order: best_at_both_ends
sources:
  docs: {limit: 20, priority: 0.8, min_share: 0.25, max_share: 0.5, required: false}
  tickets:
tools:
- name: find_order
  description: Finds an order.
  parameters:
    type: object
    properties:
      placed: {type: string, default: 2024-01-01}
      count: {type: integer, default: 0x10}
examples:
- question: Where is it?
  answer: On its way.
pin_patterns:
- SKU-[0-9]{4}
guard:
  email: mask
  phone: drop
  restore: true
deadline: 2.5s
"""


def test_every_field_has_a_place():
    name, profile, mistakes = read_profile(FULL)
    rules = [
        guard_pb2.GuardRule(type=guard_pb2.SENSITIVE_TYPE_EMAIL, action=guard_pb2.GUARD_ACTION_MASK),
        guard_pb2.GuardRule(type=guard_pb2.SENSITIVE_TYPE_PHONE, action=guard_pb2.GUARD_ACTION_DROP),
    ]
    parameters = (
        '{"type":"object","properties":{"placed":{"type":"string","default":"2024-01-01"},'
        '"count":{"type":"integer","default":16}}}'
    )
    assert (name, mistakes) == ("support", [])
    assert profile == pb.Profile(
        description="For the help desk.",
        instructions="Answer in one paragraph.\nCite what you use.\n",
        model="gpt-4o",
        encoding="o200k_base",
        format=prompt_pb2.PROMPT_FORMAT_ANTHROPIC,
        max_tokens=6000,
        reserved_output_tokens=800,
        conversation_share=0.3,
        order=prompt_pb2.EVIDENCE_ORDER_BEST_AT_BOTH_ENDS,
        sources=[
            pb.ProfileSource(name="docs", limit=20, priority=0.8, min_share=0.25, max_share=0.5, required=False),
            pb.ProfileSource(name="tickets"),
        ],
        tools=[prompt_pb2.Tool(name="find_order", description="Finds an order.", parameters_json=parameters)],
        examples=[prompt_pb2.Example(question="Where is it?", answer="On its way.")],
        pin_patterns=["SKU-[0-9]{4}"],
        guard=guard_pb2.Guard(rules=rules, restore=True),
        deadline=duration_pb2.Duration(seconds=2, nanos=500_000_000),
    )
    said = {field.name for field, _ in profile.ListFields()}
    assert said == {field.name for field in pb.Profile.DESCRIPTOR.fields}, "a new field needs a place here"


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        pytest.param("", pb.Profile(), id="nothing"),
        pytest.param("name:\nmodel:\nsources:\nguard:\n", pb.Profile(), id="empty values"),
        pytest.param(
            "sources: [docs, code]",
            pb.Profile(sources=[pb.ProfileSource(name="docs"), pb.ProfileSource(name="code")]),
            id="sources as a list",
        ),
        pytest.param("conversation_share: 0", pb.Profile(conversation_share=0), id="nothing of the conversation"),
    ],
)
def test_what_is_left_out_is_left_out(text, profile):
    assert read_profile(text) == ("", profile, [])


@pytest.mark.parametrize(
    ("text", "path", "expectation"),
    [
        ("modle: gpt-4o", "modle", "is not known; did you mean model?"),
        ("sources: {docs: {priorty: 1}}", "sources.docs.priorty", "is not known; did you mean priority?"),
        ("sources: {docs: {name: code}}", "sources.docs.name", "is not known; there are: limit, max_share,"),
        ("tools: [{title: x}]", "tools[0].title", "is not known; there are: description, name, parameters"),
        ("tools: [{parameters_json: '{}'}]", "tools[0].parameters_json", "is not known; did you mean parameters?"),
        ("examples: [{question: a}, {anwser: b}]", "examples[1].anwser", "is not known; did you mean answer?"),
        ("guard: {mail: mask}", "guard.mail", "is not known; did you mean email?"),
        ("guard: {email: hide}", "guard.email", "must be one of: allow, mask, drop, refuse"),
        (
            "order: BY_SOURCE",
            "order",
            "must be one of: by_score, by_source, best_at_both_ends; did you mean by_source?",
        ),
        ("format: open_ai", "format", "must be one of: openai, anthropic; did you mean openai?"),
        ("description: 5", "description", "must be text; put it in quotes"),
        ("description: no", "description", "must be text; put it in quotes"),
        ("max_tokens: many", "max_tokens", "must be a whole number"),
        ("max_tokens: true", "max_tokens", "must be a whole number"),
        ("max_tokens: 9999999999", "max_tokens", "cannot be sent: Value out of range: 9999999999"),
        ("conversation_share: half", "conversation_share", "must be a number"),
        ("sources: {docs: {required: 1}}", "sources.docs.required", "must be true or false"),
        ("guard: {restore: maybe}", "guard.restore", "must be true or false"),
        ("sources: docs", "sources", "must be names with values"),
        ("sources: {1: {}}", "sources", "must be names with values"),
        ("tools: {name: x}", "tools", "must be a list"),
        ("tools: [x]", "tools[0]", "must be names with values"),
        ("pin_patterns: x", "pin_patterns", "must be a list"),
        ("pin_patterns: [x, 5]", "pin_patterns[1]", "must be text; put it in quotes"),
        ("tools: [{name: x, parameters: {a: .inf}}]", "tools[0].parameters", "must be what JSON can say: "),
        ("tools: [{name: x, parameters: !!binary aGk=}]", "tools[0].parameters", "must be what JSON can say: "),
        ("tools: [{name: x, parameters: &a {b: *a}}]", "tools[0].parameters", "must be what JSON can say: "),
        ('description: "\\ud800"', "description", "cannot be sent: "),
        ("deadline: soon", "deadline", "must be a number with ms, s, m, h or d, such as 500ms, 5s, 10m or 1h30m"),
        ("deadline: soon", "deadline", "must be a number with"),
        ("deadline: [5s]", "deadline", "must be a number with"),
        ("name: [a]", "name", "must be text; put it in quotes"),
        ("[a]", "recipe.yaml", "must be names with values"),
    ],
)
def test_a_mistake_is_named_by_its_path(text, path, expectation):
    ((field, said),) = read_profile(text, "recipe.yaml").mistakes
    assert field == path
    assert said.startswith(expectation)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [", r"line 1, column 5: while parsing a flow node, expected the node .*", id="open list"),
        pytest.param("name: x\nmodel: a: b", r"line 2, column 9: mapping values are not allowed here", id="two colons"),
        pytest.param("name: x\nmodel: *y", r"line 2, column 8: found undefined alias 'y'", id="alias"),
        pytest.param("name: x\n---\nname: y", r"line 2, column 1: expected a single document .*", id="two documents"),
        pytest.param("sources:\n  docs:\n  code:\n  docs:", r"line 4, column 3: docs stands twice", id="key twice"),
        pytest.param("model: a\nmodel: b", r"line 2, column 1: model stands twice", id="field twice"),
        pytest.param("? ''\n: a\n'': b", r"line 3, column 1:  stands twice", id="empty key twice"),
        pytest.param("!!python/object:os.system {}", r"line 1, column 1: could not determine .*", id="an object"),
        pytest.param("name: x\nmodel: \x07", r"line 2, column 8: special characters are not allowed", id="no text"),
        pytest.param("max_tokens: !!int x", r"must be YAML: invalid literal for int.*", id="no number"),
    ],
)
def test_what_is_no_yaml_is_refused_with_file_line_and_column(text, said):
    with pytest.raises(ScicError) as caught:
        read_profile(text, "recipe.yaml")
    assert caught.value.reason == "INVALID_FIELD"
    assert re.fullmatch(rf"recipe\.yaml: ({said})", str(caught.value))
    ((field, _),) = caught.value.field_violations
    assert field == "recipe.yaml"


def test_every_mistake_is_told_at_once_and_what_is_sound_is_read():
    text = "modle: x\nmax_tokens: many\nformat: openai\nguard: {email: hide, fone: mask}\ntools: [{}, {nam: x}]"
    _, profile, mistakes = read_profile(text)
    assert [path for path, _ in mistakes] == ["modle", "max_tokens", "tools[1].nam", "guard.fone", "guard.email"]
    assert profile.format == prompt_pb2.PROMPT_FORMAT_OPENAI


@settings(max_examples=300, deadline=None)
@given(RECIPES)
def test_what_is_written_gives_the_same_version_again(recipe):
    stored = normalised(recipe)
    name, read, mistakes = read_profile(write_profile("support", stored))
    assert (name, mistakes) == ("support", [])
    assert read == stored
    assert version_of(normalised(read)) == version_of(stored)


def test_a_file_looks_as_a_person_would_write_it():
    _, profile, _ = read_profile(FULL)
    written = write_profile("support", profile)
    assert "instructions: |\n  Answer in one paragraph.\n  Cite what you use.\n" in written
    assert "order: best_at_both_ends\n" in written
    assert "  tickets:\n" in written
    assert "    priority: 0.8\n" in written
    assert "guard:\n  restore: true\n  email: mask\n  phone: drop\n" in written
    assert "deadline: 2.500s\n" in written
    assert "UNSPECIFIED" not in written
