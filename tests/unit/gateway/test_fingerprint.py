"""Requests share a cached reply exactly when the reply would be the same."""

from dataclasses import replace
from typing import Any

import pytest

from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2, source_pb2
from services.gateway.fingerprint import fingerprint
from services.gateway.profile import default_profile

PROFILE = default_profile("gpt-4o")


def key(built: pb.BuildContextRequest) -> str:
    return fingerprint(built, PROFILE)


def test_a_profile_with_other_instructions_is_another_recipe():
    assert fingerprint(request(), replace(PROFILE, instructions="Be brief.")) != key(request())


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
