"""How tokens are shared out before evidence is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic.type.v1 import message_pb2
from services.gateway.recipes.budget import BudgetTooSmallError, share_out
from services.prompt.fixed import turn_tokens
from services.text.tokens import encoding_for

ENCODING = encoding_for("o200k_base")
FIXED = 40


def turn(text: str) -> message_pb2.ConversationTurn:
    return message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text=text)


def share(max_tokens: int, *texts: str, conversation_share: float = 0.5):
    return share_out(
        max_tokens=max_tokens,
        fixed=FIXED,
        conversation=[turn(text) for text in texts],
        conversation_share=conversation_share,
        encoding=ENCODING,
    )


def test_fixed_parts_are_needed_wholly():
    assert share(FIXED).fixed == FIXED
    assert share(FIXED).evidence == 0
    with pytest.raises(BudgetTooSmallError) as caught:
        share(FIXED - 1)
    assert caught.value.required == FIXED


def test_the_newest_turns_are_kept_whole_within_their_share():
    budget = share(200, "old " * 60, "newer " * 20, "newest")
    assert budget.kept_turns == 2
    assert len(budget.turn_tokens) == 3


def test_what_the_conversation_does_not_use_flows_on():
    assert share(500).evidence > share(500, "short").evidence > share(500, "long " * 50).evidence


def test_what_evidence_does_not_use_flows_back_to_older_turns_whole_and_newest_first():
    budget = share(400, "oldest " * 300, "older " * 90, "old " * 90, "new", conversation_share=0.3)
    assert budget.kept_turns == 2
    assert budget.with_unused(budget.evidence).kept_turns == 2
    assert budget.with_unused(budget.evidence - 94).kept_turns == 2, "a turn is not cut"
    assert budget.with_unused(budget.evidence - 95).kept_turns == 3
    assert budget.with_unused(0).kept_turns == 3, "the oldest fits by no means"


@settings(max_examples=60, deadline=None)
@given(
    max_tokens=st.integers(1, 2000),
    texts=st.lists(st.text(min_size=1, max_size=300), max_size=6),
    conversation_share=st.floats(0, 1),
    used_share=st.floats(0, 1),
)
def test_the_parts_never_add_up_to_more_than_the_whole(max_tokens, texts, conversation_share, used_share):
    try:
        budget = share(max_tokens, *texts, conversation_share=conversation_share)
    except BudgetTooSmallError:
        return
    after = budget.with_unused(int(used_share * budget.evidence))
    assert after.kept_turns >= budget.kept_turns
    for parts in (budget, after):
        kept = texts[len(texts) - parts.kept_turns :]
        assert FIXED + sum(turn_tokens(text, ENCODING) for text in kept) + parts.evidence <= max_tokens
