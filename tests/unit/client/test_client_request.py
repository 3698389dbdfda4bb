"""The client's own terms, on the wire."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import json_format

from scic import ScicError
from scic.client import Turn, chat_messages
from scic.client.request import context_request, text_request
from scic.content_type import DOCUMENTS, content_type_of
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
        pytest.param({"conversation_id": "c-1"}, {"conversation_id": "c-1"}, id="conversation id"),
        pytest.param({"reserved_output_tokens": 0}, {"reserved_output_tokens": 0}, id="nothing reserved, said aloud"),
        pytest.param({"render": "anthropic"}, {"render": "PROMPT_FORMAT_ANTHROPIC"}, id="a provider's body"),
        pytest.param({"cache": "refresh"}, {"cache": {"mode": "MODE_REFRESH"}}, id="made anew"),
        pytest.param({"cache": "bypass"}, {"cache": {"mode": "MODE_BYPASS"}}, id="without the cache"),
        pytest.param({"max_age": 1.5}, {"cache": {"max_age": "1.500s"}}, id="age in seconds"),
        pytest.param({"max_age": timedelta(minutes=10)}, {"cache": {"max_age": "600s"}}, id="age"),
        pytest.param({"max_age": 0}, {"cache": {"max_age": "0s"}}, id="of this moment"),
        pytest.param({"min_corpus_version": 7}, {"cache": {"min_corpus_version": 7}}, id="a version of the corpus"),
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
        pytest.param({"max_tokens": 1, "min_corpus_version": 1 << 63}, id="version beyond 64 bits"),
        pytest.param({"max_tokens": 1, "max_age": float("inf")}, id="endless age"),
        pytest.param({"max_tokens": 1, "max_age": float("nan")}, id="no age"),
        pytest.param({"max_tokens": 1, "cache": "off"}, id="a word that the cache does not know"),
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
        conversation_id="c",
        reserved_output_tokens=1,
        render="openai",
        request_id="r",
        cache="bypass",
        max_age=60,
        min_corpus_version=7,
    )
    for message in (said, said.cache):
        assert {field.name for field, _ in message.ListFields()} == {field.name for field in message.DESCRIPTOR.fields}


@pytest.mark.parametrize("size", [{"ratio": 0.5}, {"max_tokens": 10}])
def test_every_field_of_a_text_can_be_said(size: dict[str, Any]) -> None:
    said = text_request(
        "Why?",
        "Because.",
        content_type="text/plain",
        name="a.txt",
        model="m",
        pin_patterns=["p"],
        words_only=True,
        prompt_cached=True,
        dry_run=True,
        **size,
    )
    other = {"ratio", "max_tokens"} - size.keys()
    assert {field.name for field, _ in said.ListFields()} == {f.name for f in said.DESCRIPTOR.fields} - other


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="no size"),
        pytest.param({"ratio": 0.5, "max_tokens": 10}, id="two sizes"),
        pytest.param({"max_tokens": 1 << 31}, id="beyond 32 bits"),
        pytest.param({"ratio": 0.5, "name": "caf\udce9"}, id="bytes, not text"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ScicError) as caught:
        text_request("Why?", "Because.", **fields)
    assert caught.value.reason == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("README.md", "text/markdown"),
        ("src/App.PY", "text/x-python"),
        ("data.json", "application/json"),
        ("chat.jsonl", "application/x-ndjson"),
        ("Makefile", ""),
        ("photo.png", ""),
        ("", ""),
    ],
)
def test_a_name_speaks_of_the_content_type(name: str, content_type: str) -> None:
    assert content_type_of(name) == content_type


def test_json_is_not_ingested() -> None:
    assert ".json" not in DOCUMENTS


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
