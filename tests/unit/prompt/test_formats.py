"""The bodies of the providers' requests, byte by byte."""

import json
from typing import Any

import pytest

from services.prompt.compose import compose
from services.prompt.message import Role, Trust
from services.prompt.policy import POLICY
from services.prompt.request import Evidence, Example, Format, PromptRequest, Turn
from services.prompt.tool import Tool
from services.text.tokens import encoding_for

NONCE = "123456789012345678901234"
SCHEMA = '{"type": "object", "properties": {"café": {"type": "string"}}}'
READ = {"type": "object", "properties": {"café": {"type": "string"}}}
FENCED = f"[[BEGIN untrusted evidence {NONCE}]]\n[1] (docs)\nRun make.\n\n[[END untrusted evidence {NONCE}]]"


def body(provider: Format, **fields) -> str:
    parts = {"instructions": "Be brief.", "question": "How?", "max_tokens": 10_000, "encoding": encoding_for("gpt-4o")}
    return compose(PromptRequest(**{**parts, "format": provider, **fields}), lambda: NONCE).body("a-model")


def message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def block(text: str, **fields) -> dict[str, Any]:
    return {"type": "text", "text": text, **fields}


CACHED = {"cache_control": {"type": "ephemeral"}}
FULL = {
    "examples": (Example("Wet?", "Yes."),),
    "conversation": (Turn(Role.USER, "Hello"), Turn(Role.USER, "there"), Turn(Role.ASSISTANT, "Hi")),
    "evidence": (Evidence((), "docs", "Run make.", Trust.UNTRUSTED),),
    "tools": (Tool("look_up", "Looks it up.", SCHEMA), Tool("stop", "")),
    "reserved_output_tokens": 300,
}


@pytest.mark.parametrize(
    ("provider", "fields", "expected"),
    [
        pytest.param(
            Format.OPENAI,
            {},
            {
                "model": "a-model",
                "messages": [message("system", f"Be brief.\n\n{POLICY}"), message("user", "How?")],
            },
            id="openai, the least",
        ),
        pytest.param(
            Format.OPENAI,
            FULL,
            {
                "model": "a-model",
                "messages": [
                    message("system", f"Be brief.\n\n{POLICY}"),
                    message("user", "Wet?"),
                    message("assistant", "Yes."),
                    message("user", "Hello"),
                    message("user", "there"),
                    message("assistant", "Hi"),
                    message("user", FENCED),
                    message("user", "How?"),
                ],
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "look_up", "description": "Looks it up.", "parameters": READ},
                    },
                    {
                        "type": "function",
                        "function": {
                            "name": "stop",
                            "description": "",
                            "parameters": {"type": "object", "properties": {}},
                        },
                    },
                ],
                "max_completion_tokens": 300,
            },
            id="openai, all",
        ),
        pytest.param(
            Format.ANTHROPIC,
            {"instructions": ""},
            {
                "model": "a-model",
                "max_tokens": 1024,
                "system": [block(POLICY, **CACHED)],
                "messages": [{"role": "user", "content": [block("How?")]}],
            },
            id="anthropic, the least",
        ),
        pytest.param(
            Format.ANTHROPIC,
            FULL,
            {
                "model": "a-model",
                "max_tokens": 300,
                "system": [block(f"Be brief.\n\n{POLICY}")],
                "messages": [
                    {"role": "user", "content": [block("Wet?")]},
                    {"role": "assistant", "content": [block("Yes.", **CACHED)]},
                    {"role": "user", "content": [block("Hello"), block("there")]},
                    {"role": "assistant", "content": [block("Hi")]},
                    {"role": "user", "content": [block(FENCED), block("How?")]},
                ],
                "tools": [
                    {"name": "look_up", "description": "Looks it up.", "input_schema": READ},
                    {"name": "stop", "description": "", "input_schema": {"type": "object", "properties": {}}},
                ],
            },
            id="anthropic, all",
        ),
    ],
)
def test_a_body_is_this_and_nothing_else(provider, fields, expected):
    # Key by key in this order: a provider's cache compares bytes.
    assert body(provider, **fields) == json.dumps(expected, ensure_ascii=False, separators=(",", ":"))


def test_anthropic_turns_alternate_and_the_user_begins():
    fields = json.loads(
        body(Format.ANTHROPIC, conversation=(Turn(Role.ASSISTANT, "Hi"), Turn(Role.ASSISTANT, "there")))
    )
    assert [turn["role"] for turn in fields["messages"]] == ["user", "assistant", "user"]
