"""Requests are resolved before any work: defaults written out, unknown names refused by field."""

from dataclasses import replace
from typing import Any

import pytest

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.profiles.profile import default_profile
from tests.fakes import recipe_of


def resolved(**fields: Any):
    request = pb.BuildContextRequest(**{"question": "Why?", "max_tokens": 1000, **fields})
    return recipe_of(request)


def test_defaults_are_written_out():
    recipe = resolved()
    assert recipe.request.model == "gpt-4o"
    assert recipe.request.profile == "default"
    assert [(s.name, s.required) for s in recipe.request.sources] == [
        ("code", False),
        ("docs", False),
        ("history", True),
    ]
    assert all(s.HasField("required") for s in recipe.request.sources)
    assert recipe.encoding.name == "o200k_base"


def test_saying_a_default_aloud_changes_nothing():
    silent = resolved(sources=[pb.SourceSelection(name="docs")]).request
    aloud = resolved(model="gpt-4o", profile="default", sources=silent.sources)
    assert aloud.request == silent


@pytest.mark.parametrize(
    ("max_tokens", "limits"),
    [
        pytest.param(200, {"code": 8, "docs": 8, "history": 8}, id="a small budget still has a choice"),
        pytest.param(4_000, {"code": 12, "docs": 23, "history": 12}, id="twice what fits"),
        pytest.param(1_000_000, {"code": 100, "docs": 100, "history": 100}, id="bounded"),
    ],
)
def test_the_candidates_grow_with_the_budget(max_tokens, limits):
    assert {s.name: s.limit for s in resolved(max_tokens=max_tokens).request.sources} == limits


def test_a_source_that_no_default_searches_has_a_limit_too():
    selection = resolved(sources=[pb.SourceSelection(name="vectors")], max_tokens=4_000).request.sources[0]
    assert (selection.limit, selection.required) == (12, False)


def test_a_request_says_what_it_requires():
    selections = [pb.SourceSelection(name="docs", required=True), pb.SourceSelection(name="history", required=False)]
    assert [s.required for s in resolved(sources=selections).request.sources] == [True, False]


def test_inline_passages_get_a_name():
    recipe = resolved(passages=[pb.InlinePassage(text="a"), pb.InlinePassage(text="b", passage_id="mine")])
    assert [p.passage_id for p in recipe.request.passages] == ["inline/0", "mine"]


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        pytest.param({"model": "gpt-99x"}, errors.UNKNOWN_MODEL, "model", id="model"),
        pytest.param({"question": "\u00ad\u200b"}, errors.INVALID_FIELD, "question", id="nothing that can be seen"),
        pytest.param({"max_tokens": 0}, errors.INVALID_FIELD, "max_tokens", id="no budget"),
        pytest.param(
            {"reserved_output_tokens": 990}, errors.BUDGET_TOO_SMALL, "max_tokens", id="no room but the answer's"
        ),
        pytest.param(
            {"sources": [pb.SourceSelection(name="docs"), pb.SourceSelection(name="mail")]},
            errors.UNKNOWN_SOURCE,
            "sources[1].name",
            id="source",
        ),
        pytest.param(
            {"sources": [pb.SourceSelection(name="docs"), pb.SourceSelection(name="docs")]},
            errors.INVALID_FIELD,
            "sources[1].name",
            id="source twice",
        ),
        pytest.param({"max_tokens": 10}, errors.BUDGET_TOO_SMALL, "max_tokens", id="budget"),
    ],
)
def test_refused_by_field(fields, reason, field):
    with pytest.raises(errors.ScicError) as caught:
        resolved(**fields)
    assert caught.value.reason == reason.name
    assert [violation.field for violation in caught.value.field_violations] == [field]


def test_the_profile_speaks_where_the_request_is_silent():
    profile = replace(default_profile("gpt-4o"), max_tokens=700, reserved_output_tokens=50, version="abc")
    silent = recipe_of(pb.BuildContextRequest(question="Why?"), profile)
    assert (silent.request.max_tokens, silent.reserved_output_tokens) == (700, 50)
    assert silent.request.profile == "default@abc"
    aloud = pb.BuildContextRequest(question="Why?", max_tokens=600, reserved_output_tokens=0)
    assert (recipe_of(aloud, profile).request.max_tokens, recipe_of(aloud, profile).reserved_output_tokens) == (600, 0)


def test_a_profile_may_name_the_encoding_of_a_model_that_nobody_knows():
    profile = replace(default_profile("gpt-4o"), model="claude-sonnet", encoding="cl100k_base")
    assert recipe_of(pb.BuildContextRequest(question="Why?", max_tokens=700), profile).encoding.name == "cl100k_base"
    other = pb.BuildContextRequest(question="Why?", max_tokens=700, model="gpt-4o")
    assert recipe_of(other, profile).encoding.name == "o200k_base"
