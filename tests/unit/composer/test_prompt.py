"""The prompt: order, citations, exact counts, never above the budget."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.composer.evidence import Evidence, render
from services.composer.prompt import BudgetTooSmallError, Role, Section, compose
from services.text.tokens import count_messages, encoding_for

ENCODING = encoding_for("o200k_base")
TEXT = st.text(min_size=1, max_size=200)
EVIDENCE = st.builds(
    Evidence,
    title_path=st.lists(TEXT, max_size=3).map(tuple),
    source=st.sampled_from(["docs", "code", "history", "inline"]),
    text=TEXT,
)


def test_parts_stand_in_a_fixed_order_with_numbered_evidence():
    prompt = compose(
        instructions="Be brief.",
        conversation=[(Role.USER, "Hello"), (Role.ASSISTANT, "Hi")],
        evidence=[
            Evidence(("Guide", "Install"), "docs", "Run make."),
            Evidence(("app.py",), "code", "def a(): ... … def z(): ..."),
        ],
        question="How do I install it?",
        max_tokens=1000,
        encoding=ENCODING,
    )
    assert [(m.role, m.content) for m in prompt.messages] == [
        (Role.SYSTEM, "Be brief."),
        (Role.USER, "Hello"),
        (Role.ASSISTANT, "Hi"),
        (
            Role.USER,
            "Passages:\n\n[1] Guide > Install (docs)\nRun make.\n\n[2] app.py (code)\ndef a(): ... … def z(): ...",
        ),
        (Role.USER, "How do I install it?"),
    ]
    assert prompt.evidence_count == 2


def test_what_stays_the_same_comes_first_byte_by_byte():
    def prefix(question: str, text: str) -> list[str]:
        prompt = compose(
            instructions="Be brief.",
            conversation=[(Role.USER, "Hello")],
            evidence=[Evidence(("T",), "docs", text)],
            question=question,
            max_tokens=1000,
            encoding=ENCODING,
        )
        return [message.content for message in prompt.messages[:2]]

    assert prefix("a?", "x") == prefix("b?", "something else")


@settings(max_examples=60, deadline=None)
@given(
    instructions=st.text(max_size=100),
    question=TEXT,
    evidence=st.lists(EVIDENCE, max_size=6),
    max_tokens=st.integers(1, 600),
)
def test_counts_are_exact_and_never_above_the_budget(instructions, question, evidence, max_tokens):
    try:
        prompt = compose(
            instructions=instructions,
            conversation=[],
            evidence=evidence,
            question=question,
            max_tokens=max_tokens,
            encoding=ENCODING,
        )
    except BudgetTooSmallError:
        assert count_messages(ENCODING, [text for text in (instructions, question) if text]) > max_tokens
        return
    assert prompt.token_count <= max_tokens
    assert prompt.token_count == count_messages(ENCODING, [m.content for m in prompt.messages])
    if prompt.evidence_count < len(evidence):
        more = render(evidence[: prompt.evidence_count + 1])
        fixed = [m.content for m in prompt.messages if m.section is not Section.EVIDENCE]
        assert count_messages(ENCODING, [*fixed, more]) > max_tokens


def test_the_least_valuable_evidence_is_left_out_first():
    evidence = [Evidence((f"T{n}",), "docs", f"passage number {n} " * 20) for n in range(5)]
    whole = compose(
        instructions="", conversation=[], evidence=evidence, question="q", max_tokens=10_000, encoding=ENCODING
    )
    prompt = compose(
        instructions="",
        conversation=[],
        evidence=evidence,
        question="q",
        max_tokens=whole.token_count - 1,
        encoding=ENCODING,
    )
    assert prompt.evidence_count == 4
    assert "T4" not in prompt.messages[0].content


def test_a_budget_below_the_fixed_parts_names_what_is_needed():
    with pytest.raises(BudgetTooSmallError) as caught:
        compose(
            instructions="Be brief.", conversation=[], evidence=[], question="Why?", max_tokens=5, encoding=ENCODING
        )
    assert caught.value.required == count_messages(ENCODING, ["Be brief.", "Why?"])
