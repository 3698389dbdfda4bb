"""Every token counts: what is said of a prompt is what its rendered body costs."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from services.prompt.compose import BudgetTooSmallError, compose
from services.prompt.message import Role, Section, Trust
from services.prompt.prefix import write_prefix
from services.prompt.request import Evidence, EvidenceOrder, Example, Format, PromptRequest, Turn
from services.prompt.tool import Tool
from services.text.tokens import ENCODING_NAMES, encoding_for
from tests.unit.prompt.counting import count_body
from tests.unit.prompt.injections import HIDDEN, INLINE, OPENING

CASES = 1_000
PIECES = [
    *INLINE.values(),
    *OPENING.values(),
    *HIDDEN.values(),
    *("a", "Word", " pump", "2024", " 5.5", "\n", "\n\n", "  ", "\r\n", "\t", ")", "]", "//", "};\n", "```", "'s", " "),
    *("漢字", "мир", "é", "e\u0301", "👩‍👩‍👧", "🏴", "\u00a0", "\u2028", "/", "...", " — ", "<", "|>", "[", ":", "#"),
]


class Cases:
    """Random requests; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, longest: int = 40) -> str:
        return "".join(self.random.choices(PIECES, k=self.random.randint(1, longest)))

    def tool(self) -> Tool:
        properties = {
            f"p{number}": {
                "type": self.random.choice(["string", "integer"]),
                "description": self.text(5) + self.random.choice(["", "."]),
                **({"enum": ["a", "b c"]} if self.random.random() < 0.3 else {}),
            }
            for number in range(self.random.randint(0, 3))
        }
        schema = {"type": "object", "properties": properties, "required": list(properties)[:1]}
        return Tool("look_up", self.text(8) + self.random.choice(["", "."]), json.dumps(schema))

    def several(self, make, most: int):
        return tuple(make() for _ in range(self.random.randint(0, most)))

    def evidence(self) -> Evidence:
        titles = self.several(lambda: self.text(4), 3)
        source, trust = self.random.choice(["docs", "code", "", self.text(3)]), self.random.choice(list(Trust))
        document, start = self.random.choice("ab"), self.random.randint(0, 99)
        return Evidence(titles, source, self.text(), trust, document, start)

    def request(self, provider: Format, encoding) -> PromptRequest:
        return PromptRequest(
            instructions=self.random.choice(["", "Be brief.", self.text()]),
            question=self.text(),
            max_tokens=self.random.choice([300, 800, 2_000, 20_000]),
            encoding=encoding,
            conversation=self.several(lambda: Turn(self.random.choice([Role.USER, Role.ASSISTANT]), self.text(20)), 4),
            evidence=self.several(self.evidence, 6),
            tools=self.several(self.tool, 2),
            examples=self.several(lambda: Example(self.text(8), self.text(8)), 2),
            reserved_output_tokens=self.random.choice([0, 0, 100]),
            order=self.random.choice(list(EvidenceOrder)),
            format=provider,
        )


@pytest.mark.parametrize("name", ENCODING_NAMES)
@pytest.mark.parametrize("provider", Format)
def test_a_prompt_costs_what_its_body_costs(provider, name):
    encoding, cases, composed = encoding_for(name), Cases(20), 0
    for _ in range(CASES):
        request = cases.request(provider, encoding)
        try:
            prompt = compose(request)
        except BudgetTooSmallError:
            continue
        composed += 1
        body = prompt.body("gpt-4o")
        assert prompt.token_count - request.reserved_output_tokens == count_body(body, encoding), ascii(request)
        assert prompt.token_count <= request.max_tokens
        assert all(count >= 0 for count in prompt.tokens.values())
    assert composed > CASES // 2


@pytest.mark.parametrize("name", ENCODING_NAMES)
def test_sections_are_those_of_their_messages(name):
    encoding, cases = encoding_for(name), Cases(7)
    for _ in range(100):
        prompt = compose(replace(cases.request(Format.OPENAI, encoding), max_tokens=100_000))
        for section in (Section.CONVERSATION, Section.QUESTION, Section.EXAMPLES):
            messages = [message for message in prompt.messages if message.section is section]
            assert prompt.tokens[section] == sum(encoding.count(message.content) for message in messages)


@pytest.mark.parametrize("name", ENCODING_NAMES)
def test_fences_and_blocks_add_up_to_their_message(name):
    encoding, cases = encoding_for(name), Cases(3)
    for _ in range(300):
        evidence = tuple(cases.evidence() for _ in range(4))
        prompt = compose(
            PromptRequest(instructions="", question="q", max_tokens=100_000, encoding=encoding, evidence=evidence)
        )
        shown = [message.content for message in prompt.messages if message.section is Section.EVIDENCE]
        assert prompt.tokens[Section.EVIDENCE] + prompt.tokens[Section.FENCES] == sum(encoding.count_batch(shown))
        lines = [line for content in shown for line in (f"{content.split(chr(10))[0]}\n", content.split("\n")[-1])]
        assert prompt.tokens[Section.FENCES] == sum(encoding.count_batch(lines))


@pytest.mark.parametrize(
    ("model", "expected"), [pytest.param("gpt-4", 105, id="cl100k"), pytest.param("gpt-4o", 101, id="o200k")]
)
def test_tools_cost_what_openai_publishes(model, expected):
    # The cookbook's example, whose figures OpenAI's API confirmed; here without the rules for evidence.
    encoding = encoding_for(model)
    schema = {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {
                "type": "string",
                "description": "The unit of temperature to return",
                "enum": ["celsius", "fahrenheit"],
            },
        },
        "required": ["location"],
    }
    tool = Tool("get_current_weather", "Get the current weather in a given location", json.dumps(schema))
    prompt = compose(
        PromptRequest(
            instructions="You are a helpful assistant that can answer to questions about the weather.",
            question="What's the weather like in San Francisco?",
            max_tokens=1_000,
            encoding=encoding,
            tools=(tool,),
        )
    )
    assert prompt.token_count - prompt.tokens[Section.POLICY] == expected


def test_a_chat_costs_what_openai_publishes():
    prompt = compose(
        PromptRequest(
            instructions="You are a helpful assistant.",
            question="Hello!",
            max_tokens=1_000,
            encoding=encoding_for("gpt-4"),
        )
    )
    assert prompt.token_count - prompt.tokens[Section.POLICY] == 19


@pytest.mark.parametrize("provider", Format)
@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}, id="nested"),
        pytest.param({"properties": {"a": {"type": "array", "items": {"type": "string"}}}}, id="array"),
        pytest.param({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, id="any of"),
        pytest.param({"properties": {"a": {"type": ["string", "null"], "default": "x"}}}, id="types and default"),
        pytest.param({"properties": {"a": {"enum": [1, None, "x"]}}}, id="enum of anything"),
        pytest.param({"$defs": {"a": {"type": "string"}}}, id="definitions"),
    ],
)
def test_what_the_rule_does_not_speak_of_is_counted(schema, provider):
    encoding = encoding_for("gpt-4o")

    def tokens(parameters: dict[str, Any]) -> int:
        tool = Tool("f", "", json.dumps({"type": "object", **parameters}))
        return write_prefix("", (tool,), (), provider, encoding).tokens[Section.TOOLS]

    leanest: dict[str, Any] = {"properties": {name: {} for name in schema.get("properties", {})}}
    assert tokens(schema) > tokens(leanest)
