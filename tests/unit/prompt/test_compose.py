"""The prompt: its parts in order, citations, what fits and what does not."""

from dataclasses import replace

import pytest

from services.prompt.anthropic import OPENING
from services.prompt.compose import BudgetTooSmallError, compose
from services.prompt.message import Role, Section, Trust
from services.prompt.policy import POLICY
from services.prompt.request import Evidence, EvidenceOrder, Example, Format, PromptRequest, Turn
from services.prompt.tool import Tool, ToolError
from services.text.tokens import count_messages, encoding_for

ENCODING = encoding_for("o200k_base")
NONCE = "123456789012345678901234"
PLAIN = PromptRequest(instructions="Be brief.", question="How many bar?", max_tokens=10_000, encoding=ENCODING)


def begin(label: str) -> str:
    return f"[[BEGIN {label} evidence {NONCE}]]\n"


def end(label: str) -> str:
    return f"[[END {label} evidence {NONCE}]]"


def written(request: PromptRequest):
    return compose(request, lambda: NONCE)


def passages(count: int, trust: Trust = Trust.UNTRUSTED) -> tuple[Evidence, ...]:
    return tuple(Evidence((f"T{n}",), "docs", f"passage number {n} " * 20, trust) for n in range(count))


def test_parts_stand_in_a_fixed_order_with_numbered_evidence():
    prompt = written(
        replace(
            PLAIN,
            examples=(Example("Is it wet?", "Yes."),),
            conversation=(Turn(Role.USER, "Hello"), Turn(Role.ASSISTANT, "Hi")),
            evidence=(
                Evidence(("mail",), "mail", "Somebody says 7."),
                Evidence(("Guide", "Install"), "docs", "Run make.", Trust.TRUSTED),
                Evidence((), "", "No title."),
            ),
        )
    )
    assert [(m.role, m.content, m.section, m.trust) for m in prompt.messages] == [
        (Role.SYSTEM, f"Be brief.\n\n{POLICY}", Section.INSTRUCTIONS, None),
        (Role.USER, "Is it wet?", Section.EXAMPLES, None),
        (Role.ASSISTANT, "Yes.", Section.EXAMPLES, None),
        (Role.USER, "Hello", Section.CONVERSATION, None),
        (Role.ASSISTANT, "Hi", Section.CONVERSATION, None),
        (
            Role.USER,
            f"{begin('trusted')}[1] Guide > Install (docs)\nRun make.\n\n{end('trusted')}",
            Section.EVIDENCE,
            Trust.TRUSTED,
        ),
        (
            Role.USER,
            f"{begin('untrusted')}[2] mail (mail)\nSomebody says 7.\n\n[3]\nNo title.\n\n{end('untrusted')}",
            Section.EVIDENCE,
            Trust.UNTRUSTED,
        ),
        (Role.USER, "How many bar?", Section.QUESTION, None),
    ]
    assert prompt.evidence == (1, 0, 2)


@pytest.mark.parametrize(
    ("order", "indexes"),
    [
        pytest.param(EvidenceOrder.BY_SCORE, (0, 1, 2, 4, 5, 3), id="by score"),
        pytest.param(EvidenceOrder.BY_SOURCE, (4, 0, 2, 1, 5, 3), id="by source, document and place"),
        pytest.param(EvidenceOrder.BEST_AT_BOTH_ENDS, (0, 2, 5, 4, 1, 3), id="best at both ends"),
    ],
)
def test_passages_of_a_label_stand_in_the_order_that_is_asked_for(order, indexes):
    given = [
        ("docs", "b", 5),
        ("mail", "a", 0),
        ("docs", "b", 50),
        ("docs", "a", 0),
        ("docs", "a", 9),
        ("mail", "a", 5),
    ]
    evidence = tuple(
        Evidence((), source, f"n{n}", Trust.UNTRUSTED if n == 3 else Trust.TRUSTED, document, start)
        for n, (source, document, start) in enumerate(given)
    )
    prompt = written(replace(PLAIN, evidence=evidence, order=order))
    assert prompt.evidence == indexes
    text = "".join(message.content for message in prompt.messages)
    for number, index in enumerate(indexes, start=1):
        assert f"[{number}] ({given[index][0]})\nn{index}\n" in text


def test_what_stays_the_same_comes_first_byte_by_byte():
    base = replace(
        PLAIN, examples=(Example("a?", "b"),), tools=(Tool("f", "Does it."),), conversation=(Turn(Role.USER, "Hello"),)
    )
    one = compose(base)
    other = compose(replace(base, question="Another?", evidence=passages(3), conversation=(), reserved_output_tokens=9))
    assert one.prefix_messages == 3
    assert one.messages[:3] == other.messages[:3]
    assert one.tools == other.tools
    assert one.prefix_token_count == other.prefix_token_count
    system_and_examples = count_messages(ENCODING, [m.content for m in one.messages[:3]]) - count_messages(ENCODING, [])
    assert one.prefix_token_count == system_and_examples + one.tokens[Section.TOOLS]
    assert one.tokens[Section.TOOLS] > 0


def test_the_least_valuable_evidence_is_left_out_first_whatever_the_order():
    whole = compose(replace(PLAIN, evidence=passages(5)))
    for order in EvidenceOrder:
        request = replace(PLAIN, evidence=passages(5), order=order, max_tokens=whole.token_count - 1)
        assert sorted(compose(request).evidence) == [0, 1, 2, 3]


def test_evidence_fits_to_the_token():
    whole = compose(replace(PLAIN, evidence=passages(5)))
    exact = compose(replace(PLAIN, evidence=passages(5), max_tokens=whole.token_count))
    assert exact.evidence == whole.evidence
    assert exact.token_count == sum(exact.tokens.values()) == whole.token_count


def test_without_evidence_there_is_no_fence():
    prompt = compose(replace(PLAIN, evidence=passages(1), max_tokens=compose(PLAIN).token_count + 5))
    assert prompt.messages == compose(PLAIN).messages
    assert prompt.tokens[Section.FENCES] == 0


def test_reserved_output_is_part_of_the_budget():
    free = compose(PLAIN)
    prompt = compose(replace(PLAIN, reserved_output_tokens=500))
    assert prompt.tokens[Section.RESERVED_OUTPUT] == 500
    assert prompt.token_count == free.token_count + 500


def test_a_budget_below_the_fixed_parts_names_what_is_needed():
    needed = compose(replace(PLAIN, reserved_output_tokens=50)).token_count
    with pytest.raises(BudgetTooSmallError) as caught:
        compose(replace(PLAIN, reserved_output_tokens=50, max_tokens=needed - 1))
    assert caught.value.required == needed


@pytest.mark.parametrize(
    ("provider", "examples", "opens"),
    [
        pytest.param(Format.ANTHROPIC, (), True, id="anthropic"),
        pytest.param(Format.ANTHROPIC, (Example("a?", "b"),), False, id="anthropic, an example opens"),
        pytest.param(Format.OPENAI, (), False, id="openai"),
    ],
)
def test_where_the_assistant_begins_the_user_is_put_before_it(provider, examples, opens):
    request = replace(PLAIN, format=provider, examples=examples, conversation=(Turn(Role.ASSISTANT, "Hi"),))
    prompt = compose(request)
    assert (OPENING in prompt.messages) == opens
    plain = compose(replace(request, format=Format.OPENAI))
    extra = count_messages(ENCODING, [OPENING.content]) - count_messages(ENCODING, []) if opens else 0
    assert prompt.token_count == plain.token_count + extra


def test_a_turn_of_nothing_that_can_be_seen_is_left_out():
    prompt = compose(replace(PLAIN, conversation=(Turn(Role.USER, "\u200b\u2060"), Turn(Role.USER, "Hello"))))
    assert [m.content for m in prompt.messages if m.section is Section.CONVERSATION] == ["Hello"]


@pytest.mark.parametrize("provider", Format)
@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param('{"type": "string"}', id="another type"),
        pytest.param('{"type": "object", "properties": [1]}', id="properties that are none"),
        pytest.param('{"type": "object", "properties": {"a": true}}', id="a property that is none"),
        pytest.param('{"type": "object", "default": 1e999}', id="a number beyond floats"),
        pytest.param('{"type": "object", "default": NaN}', id="no number"),
        pytest.param('{"type": "object", "title": "\\ud800"}', id="half a character"),
        pytest.param('{"a":' * 5_000 + "1" + "}" * 5_000, id="deep"),
    ],
)
def test_parameters_that_are_no_schema_are_refused_by_index(provider, parameters):
    with pytest.raises(ToolError) as caught:
        compose(replace(PLAIN, format=provider, tools=(Tool("f", ""), Tool("g", "", parameters))))
    assert caught.value.index == 1
