"""The client's own terms, on the wire."""

from typing import Any

import pytest
from google.protobuf import json_format

from scic import ScicError
from scic.client import Turn, chat_messages
from scic.client.request import context_request
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"model": "gpt-4"}, {"model": "gpt-4"}, id="model"),
        pytest.param({"profile": "p"}, {"profile": "p"}, id="profile"),
        pytest.param({"request_id": "r-1"}, {"request_id": "r-1"}, id="request id"),
        pytest.param(
            {"sources": ["docs", "code"]}, {"sources": [{"name": "docs"}, {"name": "code"}]}, id="names of sources"
        ),
        pytest.param({"sources": {"docs": 5}}, {"sources": [{"name": "docs", "limit": 5}]}, id="sources with limits"),
        pytest.param({"filters": {"team": "a"}}, {"filter": [{"key": "team", "any_of": ["a"]}]}, id="one value"),
        pytest.param(
            {"filters": {"team": ["a", "b"], "year": "2025"}},
            {"filter": [{"key": "team", "any_of": ["a", "b"]}, {"key": "year", "any_of": ["2025"]}]},
            id="several values, several keys",
        ),
        pytest.param(
            {"conversation": [Turn("user", "Hi"), Turn("assistant", "Yes?")]},
            {"conversation": [{"role": "ROLE_USER", "text": "Hi"}, {"role": "ROLE_ASSISTANT", "text": "Yes?"}]},
            id="conversation",
        ),
        pytest.param(
            {"passages": ["text", pb.InlinePassage(passage_id="p", title="T", text="more")]},
            {"passages": [{"text": "text"}, {"passage_id": "p", "title": "T", "text": "more"}]},
            id="passages",
        ),
    ],
)
def test_options_become_fields(options: Any, sent: dict[str, Any]) -> None:
    request = context_request("Why?", max_tokens=100, **options)
    expected = json_format.ParseDict({"question": "Why?", "max_tokens": 100, **sent}, pb.BuildContextRequest())
    assert request == expected


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"max_tokens": 1 << 31}, id="number beyond 32 bits"),
        pytest.param({"max_tokens": 1, "question": "caf\udce9"}, id="lone surrogate"),
        pytest.param({"max_tokens": 1, "sources": {"docs": 1 << 40}}, id="limit beyond 32 bits"),
        pytest.param({"max_tokens": 1, "passages": ["\ud800"]}, id="lone surrogate in a passage"),
    ],
)
def test_what_no_message_can_hold_is_an_invalid_field(arguments: dict[str, Any]) -> None:
    with pytest.raises(ScicError) as caught:
        context_request(arguments.pop("question", "Why?"), **arguments)
    assert caught.value.reason == "INVALID_FIELD"


def test_every_field_of_the_request_can_be_said() -> None:
    said = context_request(
        "Why?",
        max_tokens=1,
        model="m",
        profile="p",
        sources=["docs"],
        filters={"a": "b"},
        conversation=[Turn("user", "Hi")],
        passages=["text"],
        request_id="r",
    )
    assert {field.name for field, _ in said.ListFields()} == {field.name for field in said.DESCRIPTOR.fields}


def test_messages_become_what_llm_libraries_take() -> None:
    messages = [
        message_pb2.Message(role=message_pb2.ROLE_SYSTEM, content="a"),
        message_pb2.Message(role=message_pb2.ROLE_USER, content="b"),
        message_pb2.Message(role=message_pb2.ROLE_ASSISTANT, content="c"),
    ]
    assert chat_messages(messages) == [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c"},
    ]


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(TypeError, match="filter"):
        context_request("Why?", max_tokens=10, filter={"team": "a"})  # type: ignore[call-arg]  # the mistake itself


def test_one_source_may_be_named_alone() -> None:
    assert [s.name for s in context_request("Why?", max_tokens=10, sources="docs").sources] == ["docs"]
