"""Recipes that pass every check."""

import json
from typing import Any

from hypothesis import strategies as st

from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2
from services.text.tokens import ENCODING_NAMES

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
NOTHING: st.SearchStrategy[None] = st.none()
SHARE = st.floats(0, 1, width=32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXT, parts, max_size=3),
    max_leaves=6,
)


def _schema(properties: dict[str, Any]) -> str:
    return json.dumps({"type": "object", "properties": properties}, ensure_ascii=False)


PARAMETERS = st.just("") | st.dictionaries(TEXT, st.fixed_dictionaries({"default": JSON}), max_size=2).map(_schema)
TOOLS = st.lists(
    st.builds(
        prompt_pb2.Tool,
        name=st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True),
        description=TEXT,
        parameters_json=PARAMETERS,
    ),
    max_size=3,
    unique_by=lambda tool: tool.name,
)
SOURCES = st.lists(
    st.builds(
        pb.ProfileSource,
        name=st.sampled_from(["docs", "code", "history"]),
        limit=st.integers(0, 100),
        required=NOTHING | st.booleans(),
        priority=NOTHING | st.floats(0.015625, 1, width=32),
        min_share=NOTHING | st.floats(0, 0.25, width=32),
        max_share=NOTHING | st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=3,
    unique_by=lambda source: source.name,
)
GUARDS = st.builds(
    guard_pb2.Guard,
    rules=st.lists(
        st.builds(
            guard_pb2.GuardRule,
            type=st.sampled_from(guard_pb2.SensitiveType.values()[1:]),
            action=st.sampled_from(guard_pb2.GuardAction.values()[1:]),
        ),
        max_size=8,
        unique_by=lambda rule: rule.type,
    ),
    restore=st.booleans(),
)
RECIPES = st.builds(
    pb.Profile,
    description=TEXT,
    instructions=TEXT,
    model=st.sampled_from(["", "gpt-4o", "gpt-4"]),
    encoding=st.sampled_from(["", *ENCODING_NAMES]),
    format=st.sampled_from(prompt_pb2.PromptFormat.values()),
    max_tokens=st.integers(0, 1_000_000),
    reserved_output_tokens=st.integers(0, 1_000_000),
    tools=TOOLS,
    examples=st.lists(st.builds(prompt_pb2.Example, question=TEXT.filter(bool), answer=TEXT.filter(bool)), max_size=2),
    sources=SOURCES,
    conversation_share=NOTHING | SHARE,
    order=st.sampled_from(prompt_pb2.EvidenceOrder.values()),
    pin_patterns=st.lists(st.sampled_from(["SKU-[0-9]{4}", r"\bERR_\w+", "a: b # c", "'quoted'"]), max_size=3),
    guard=NOTHING | GUARDS,
)
