"""What publishing refuses, each mistake by its field, all of them at once."""

import dataclasses
import json

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings

from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2
from services.gateway.profiles.check import mistakes
from services.gateway.profiles.refusals import refused
from services.gateway.sources.declarations import declared_sources
from services.prompt.fixed import fixed_tokens
from tests.unit.gateway.profiles.kit import BASE, no_tokens
from tests.unit.gateway.profiles.recipes import RECIPES


def found(base=BASE, count=no_tokens, **fields):
    return dict(mistakes(pb.Profile(**fields), base, count, 60.0))


def source(name, **fields):
    return pb.ProfileSource(name=name, **fields)


def tool(name="t", parameters=""):
    text = parameters if isinstance(parameters, str) else json.dumps(parameters)
    return prompt_pb2.Tool(name=name, parameters_json=text)


RULE = guard_pb2.GuardRule(type=guard_pb2.SENSITIVE_TYPE_EMAIL, action=guard_pb2.GUARD_ACTION_MASK)


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        pytest.param(
            {"deadline": Duration(seconds=60, nanos=1)},
            "profile.deadline",
            "must be at most 60 s",
            id="deadline above the cap",
        ),
        pytest.param(
            {"sources": [source("docs"), source("mail")]},
            "profile.sources[1].name",
            "must be one of: code, docs, history, vectors",
            id="unknown source",
        ),
        pytest.param(
            {"sources": [source("docs"), source("code"), source("docs")]},
            "profile.sources[2].name",
            "docs stands twice",
            id="source twice",
        ),
        pytest.param(
            {"sources": [source("docs", min_share=0.6), source("code", min_share=0.5)]},
            "profile.sources",
            "it is 1.1",
            id="floors above the whole",
        ),
        pytest.param(
            {"sources": [source("docs", min_share=0.6, max_share=0.5)]},
            "profile.sources[0].max_share",
            "at least min_share, which is 0.6",
            id="bound below the floor",
        ),
        pytest.param(
            {"sources": [source("vectors", max_share=0.5)]},
            "profile.sources[0].max_share",
            "must not be set",
            id="share of what holds nothing",
        ),
        pytest.param({"tools": [tool("a"), tool("a")]}, "profile.tools[1].name", "a stands twice", id="tool twice"),
        pytest.param(
            {"tools": [tool(), tool("b", "{")]}, "profile.tools[1].parameters_json", "must be JSON", id="no JSON"
        ),
        *(
            pytest.param(
                {"tools": [tool(parameters=schema)]}, "profile.tools[0].parameters_json", said, id=json.dumps(schema)
            )
            for schema, said in (
                ([], "of type `object`"),
                ({}, "of type `object`"),
                ({"type": "string"}, "of type `object`"),
                ({"type": "object", "properties": []}, "`properties`"),
                ({"type": "object", "properties": {"a": 1}}, "`properties`"),
            )
        ),
        pytest.param(
            {"guard": guard_pb2.Guard(rules=[RULE, RULE])}, "profile.guard.rules[1].type", "unique", id="rule twice"
        ),
        pytest.param({"pin_patterns": ["a", "(?<=b)c"]}, "profile.pin_patterns[1]", "RE2", id="not RE2"),
        pytest.param({"pin_patterns": ["x*"]}, "profile.pin_patterns[0]", "empty text", id="pattern of nothing"),
        pytest.param({"encoding": "p50k_base"}, "profile.encoding", "must be one of: ", id="unknown encoding"),
        pytest.param(
            {"model": "llama-9"}, "profile.encoding", "that of the model 'llama-9' is not known", id="unknown model"
        ),
    ],
)
def test_a_mistake_is_named_by_its_field(fields, field, said):
    named = found(**fields)
    assert list(named) == [field]
    assert said in named[field]


def test_an_unknown_model_is_fine_with_an_encoding():
    assert found(model="llama-9", encoding="o200k_base") == {}


def test_floors_of_the_server_count():
    base = dataclasses.replace(BASE, sources=declared_sources('{"docs": {"min_share": 0.7}}'))
    assert list(found(base, sources=[source("code", min_share=0.5)])) == ["profile.sources"]
    assert found(base, sources=[source("code", min_share=0.3)]) == {}


def test_patterns_of_the_server_count():
    base = dataclasses.replace(BASE, pin_patterns=tuple(f"s{number}" for number in range(10)))
    assert found(base, pin_patterns=["s1", *(f"p{number}" for number in range(6))]) == {}
    named = found(base, pin_patterns=[f"p{number}" for number in range(7)])
    assert named == {"profile.pin_patterns": "must be at most 6, beside the 10 of the server"}


def test_a_budget_has_to_hold_the_fixed_parts():
    counted = []

    def count(**parts):
        counted.append(parts)
        return 600

    fields = {"instructions": "Answer.", "tools": [tool()], "reserved_output_tokens": 100, "encoding": "cl100k_base"}
    assert list(found(count=count, max_tokens=599, **fields)) == ["profile.max_tokens"]
    assert "at least 600" in found(count=count, max_tokens=599, **fields)["profile.max_tokens"]
    assert found(count=count, max_tokens=600, **fields) == {}
    assert found(count=count, max_tokens=0, **fields) == {}, "the request names one"
    assert (counted[0]["instructions"], counted[0]["tools"], counted[0]["question"]) == ("Answer.", (tool(),), "")
    assert (counted[0]["reserved_output_tokens"], counted[0]["encoding"].name) == (100, "cl100k_base")
    assert (counted[0]["format"], counted[0]["examples"]) == (prompt_pb2.PROMPT_FORMAT_OPENAI, ())


def test_the_real_count_of_the_prompt_is_asked():
    fields = {"instructions": "Answer " * 100, "max_tokens": 50, "tools": [tool(), tool("b", "[]")]}
    named = found(count=fixed_tokens, **fields)
    assert list(named) == ["profile.tools[1].parameters_json", "profile.max_tokens"]
    assert "at least 212" in named["profile.max_tokens"]


def test_every_mistake_is_told_at_once():
    profile = pb.Profile(
        sources=[source("mail")], pin_patterns=["("], model="llama-9", tools=[tool("a", "[]"), tool("a", "[]")]
    )
    error = refused(mistakes(profile, BASE, no_tokens))
    assert error.reason == "INVALID_FIELD"
    assert len(error.field_violations) == 6
    assert str(error).endswith("; and 3 more")


@settings(max_examples=50, deadline=None)
@given(RECIPES)
def test_a_sound_recipe_passes(recipe):
    assert mistakes(recipe, BASE, no_tokens) == []
