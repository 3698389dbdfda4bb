"""Requests share a cached reply exactly when the reply would be the same."""

from dataclasses import replace
from typing import Any

import pytest

from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2, source_pb2
from services.gateway.callers.principal import Principal, Role
from services.gateway.profiles.profile import default_profile
from services.gateway.recipes.fingerprint import cache_key

PROFILE = default_profile("gpt-4o")


def caller(*groups: str, sees_all: bool = False, **changes: Any) -> Principal:
    fields: dict[str, Any] = {"key_id": "one", "tenant": "acme", "roles": frozenset({Role.READER})}
    return Principal(**{**fields, **changes}, groups=frozenset(groups), sees_all=sees_all)


NOBODY = caller()


def key(built: pb.BuildContextRequest, principal: Principal = NOBODY) -> str:
    return cache_key(built, PROFILE, principal).exact


def test_a_profile_with_other_instructions_is_another_recipe():
    assert cache_key(request(), replace(PROFILE, instructions="Be brief."), NOBODY).exact != key(request())


CALLERS = [caller(), caller("a"), caller("b"), caller("a", "b"), caller("ab"), caller(sees_all=True)]


def test_callers_that_may_see_different_documents_share_nothing():
    assert len({key(request(), principal) for principal in CALLERS}) == len(CALLERS)


def test_callers_that_may_see_the_same_share_replies():
    other = caller("b", "a", key_id="two", roles=frozenset({Role.WRITER}))
    assert key(request(), other) == key(request(), caller("a", "b"))


def request(**changes: Any) -> pb.BuildContextRequest:
    fields: dict[str, Any] = {"question": "What is a US replica?", "max_tokens": 1000, "model": "gpt-4o"}
    return pb.BuildContextRequest(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"question": "  What is a  US\nreplica? "}, id="white space"),
        pytest.param({"request_id": "abc"}, id="request id"),
    ],
)
def test_equal(changes):
    assert key(request(**changes)) == key(request())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"question": "What is a us replica?"}, id="letter case"),
        pytest.param({"question": "What is a US replica"}, id="punctuation"),
        pytest.param({"max_tokens": 1001}, id="budget"),
        pytest.param({"model": "gpt-4"}, id="model"),
        pytest.param({"profile": "other"}, id="profile"),
        pytest.param({"sources": [pb.SourceSelection(name="docs", limit=1)]}, id="sources"),
        pytest.param({"filter": [source_pb2.MetadataCondition(key="a", any_of=["b"])]}, id="filter"),
        pytest.param(
            {"conversation": [message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text="hi")]}, id="conversation"
        ),
        pytest.param({"passages": [pb.InlinePassage(text="hi")]}, id="passages"),
    ],
)
def test_different(changes):
    assert key(request(**changes)) != key(request())
