"""What a gateway reckons with before it knows the evidence: enough, and not a token more than is said."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic import errors
from scic.type.v1 import prompt_pb2, trust_pb2
from services.prompt.compose import compose, fence_tokens
from services.prompt.fixed import EVIDENCE_TOKENS, PASSAGE_TOKENS, fixed_tokens, frame_tokens, turn_tokens
from services.prompt.message import Role, Trust
from services.prompt.prefix import write_prefix
from services.prompt.request import Evidence, EvidenceOrder, PromptRequest, Turn
from services.prompt.wire import read_examples, read_format, read_tools
from services.text.tokens import ENCODING_NAMES, MESSAGE_OVERHEAD, encoding_for

TOOLS = [prompt_pb2.Tool(name="f", description="Does it.", parameters_json='{"type": "object", "properties": {}}')]
EXAMPLES = [prompt_pb2.Example(question="Wet?", answer="Yes.")]
FORMATS = [prompt_pb2.PROMPT_FORMAT_UNSPECIFIED, prompt_pb2.PROMPT_FORMAT_OPENAI, prompt_pb2.PROMPT_FORMAT_ANTHROPIC]
WORDS = st.sampled_from(
    [
        "The",
        "pump's",
        "pressure",
        "is",
        "5.5",
        "bar;",
        "(see)",
        "`start()`",
        "__init__",
        "getElementById",
        "XMLHttpRequest",
        "naïve",
        "Über",
        "Zürich",
        "東京",
        "タワー",
        "Привет",
        "мир",
        "नमस्ते",
        "สวัสดี",
        "€",
        "→",
        "—",
        "…",
        "2024-05-01",
        "10.0.0.1",
        "v1.2.3",
        "don't",
        "a/b/c",
        "x=1",
        "{json:",
        "[1]}",
        "#42",
        "C++",
        "100%",
        "e.g.",
        "I",
    ]
)
TITLE = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
BODY = st.tuples(
    st.lists(WORDS, min_size=1, max_size=60).map(" ".join), st.sampled_from(["", ".", ")", "```", "};", "\n", " ", "!"])
).map("".join)
PASSAGE = st.builds(
    Evidence,
    title_path=st.lists(TITLE, max_size=3).map(tuple),
    source=st.sampled_from(
        [
            "docs",
            "code",
            "history",
            "vectors",
            "inline",
            "tickets",
            "wiki",
            "jira_issues",
            "customer-emails",
            "confluence",
        ]
    ),
    text=BODY,
    trust=st.sampled_from(Trust),
)


@pytest.mark.parametrize("name", ENCODING_NAMES)
@pytest.mark.parametrize("provider", FORMATS)
@pytest.mark.parametrize("tools", [[], TOOLS], ids=["no tools", "tools"])
@pytest.mark.parametrize("examples", [[], EXAMPLES], ids=["no examples", "examples"])
def test_fixed_tokens_are_those_of_the_prompt_without_conversation_and_evidence(name, provider, tools, examples):
    encoding, question = encoding_for(name), "How many <|im_end|> bar?"
    parts: dict[str, Any] = {
        "instructions": "Be brief.",
        "question": question,
        "reserved_output_tokens": 70,
        "encoding": encoding,
    }
    fixed = fixed_tokens(**parts, tools=tools, examples=examples, format=provider)
    # With a conversation that the assistant begins, the most that the format adds to it.
    begun = compose(
        PromptRequest(
            **parts,
            max_tokens=1_000,
            tools=read_tools(tools),
            examples=read_examples(examples),
            conversation=(Turn(Role.ASSISTANT, "Hi"),),
            format=read_format(provider),
        )
    )
    assert begun.token_count == fixed + turn_tokens("Hi", encoding)


def test_evidence_tokens_are_those_of_both_fences():
    sums = [
        sum(fence_tokens(trust, encoding_for(name)) + MESSAGE_OVERHEAD for trust in Trust) for name in ENCODING_NAMES
    ]
    assert max(sums) == EVIDENCE_TOKENS


_LABELS = {Trust.TRUSTED: trust_pb2.TRUST_LABEL_TRUSTED, Trust.UNTRUSTED: trust_pb2.TRUST_LABEL_UNTRUSTED}


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(ENCODING_NAMES),
    evidence=st.lists(PASSAGE, min_size=1, max_size=12),
    turns=st.lists(st.tuples(st.sampled_from([Role.USER, Role.ASSISTANT]), BODY), max_size=3),
    provider=st.sampled_from(FORMATS),
    order=st.sampled_from(EvidenceOrder),
    question=BODY,
)
def test_what_compression_fills_is_never_dropped(name, evidence, turns, provider, order, question):
    encoding = encoding_for(name)
    parts: dict[str, Any] = {
        "instructions": "Be brief.",
        "question": question,
        "reserved_output_tokens": 7,
        "encoding": encoding,
    }
    labels = [_LABELS[item.trust] for item in evidence]
    budget = fixed_tokens(**parts, tools=TOOLS, examples=[], format=provider) + frame_tokens(labels, encoding)
    budget += sum(turn_tokens(text, encoding) for _, text in turns)
    for item in evidence:
        title = " > ".join(item.title_path)
        budget += encoding.count(f"{title}\n" if title else "") + encoding.count(f"{item.text}\n") + PASSAGE_TOKENS
    prompt = compose(
        PromptRequest(
            **parts,
            max_tokens=budget,
            tools=read_tools(TOOLS),
            conversation=tuple(Turn(role, text) for role, text in turns),
            evidence=tuple(evidence),
            order=order,
            format=read_format(provider),
        )
    )
    assert sorted(prompt.evidence) == list(range(len(evidence)))


def test_what_does_not_depend_on_the_question_is_counted_once():
    def ask(question: str) -> int:
        return fixed_tokens(
            instructions="Only here.",
            tools=TOOLS,
            examples=EXAMPLES,
            question=question,
            reserved_output_tokens=0,
            format=prompt_pb2.PROMPT_FORMAT_OPENAI,
            encoding=encoding_for("gpt-4o"),
        )

    first = ask("One?")
    misses = write_prefix.cache_info().misses
    assert ask("One, two?") > first
    assert write_prefix.cache_info().misses == misses


def test_parameters_that_are_no_schema_are_refused_by_field():
    with pytest.raises(errors.ScicError) as caught:
        fixed_tokens(
            instructions="",
            tools=[*TOOLS, prompt_pb2.Tool(name="g", parameters_json="{")],
            examples=[],
            question="Why?",
            reserved_output_tokens=0,
            format=prompt_pb2.PROMPT_FORMAT_OPENAI,
            encoding=encoding_for("gpt-4o"),
        )
    assert caught.value.reason == errors.INVALID_FIELD.name
    assert [violation.field for violation in caught.value.field_violations] == ["tools[1].parameters_json"]
