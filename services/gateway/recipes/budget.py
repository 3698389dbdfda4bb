"""How a request's tokens are shared out before evidence is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from scic.type.v1 import message_pb2
from services.prompt.fixed import EVIDENCE_TOKENS, turn_tokens
from services.text.tokens import MESSAGE_OVERHEAD, Encoding


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of the fixed parts, the turns that are kept, and what is left for evidence."""

    fixed: int
    """Instructions, tools, examples, question, reserved output and chat format: what cannot be left out."""

    kept_turns: int
    """How many of the newest turns fit their share."""

    turn_tokens: tuple[int, ...]
    """Tokens of each turn's text, oldest first."""

    room: int
    """Tokens left for the evidence messages."""

    frames: int = EVIDENCE_TOKENS
    """What of these goes to fences and frames: until the evidence is known, the most that it can be."""

    @property
    def evidence(self) -> int:
        """Tokens left for the passages with their headers; 0 or more."""
        return max(0, self.room - self.frames)

    def with_frames(self, tokens: int) -> Self:
        """The same when it is known what the fences of the evidence cost."""
        return replace(self, frames=tokens)

    def with_unused(self, used: int) -> Self:
        """The same when evidence takes `used` tokens: what it leaves flows back to older turns, whole, newest first."""
        left, kept = self.evidence - used, self.kept_turns
        for count in reversed(self.turn_tokens[: len(self.turn_tokens) - kept]):
            left -= count + MESSAGE_OVERHEAD
            if left < 0:
                break
            kept += 1
        return replace(self, kept_turns=kept, room=used + self.frames)


class BudgetTooSmallError(ValueError):
    """The fixed parts alone need `required` tokens, more than the budget has."""

    def __init__(self, required: int) -> None:
        super().__init__(f"the prompt needs {required} tokens without evidence")
        self.required = required


def share_out(
    *,
    max_tokens: int,
    fixed: int,
    conversation: Sequence[message_pb2.ConversationTurn],
    conversation_share: float,
    encoding: Encoding,
) -> Budget:
    """Shares `max_tokens` out. Raises BudgetTooSmallError where the fixed parts do not fit.

    Turns are kept whole, newest first, while they fit `conversation_share` of what the fixed parts leave: a turn cut
    in the middle misleads more than it helps. What they do not use flows on to the evidence.
    """
    if fixed > max_tokens:
        raise BudgetTooSmallError(fixed)
    left = max_tokens - fixed
    counts = tuple(turn_tokens(turn.text, encoding) - MESSAGE_OVERHEAD for turn in conversation)
    share, used, kept = int(left * conversation_share), 0, 0
    for count in reversed(counts):
        if used + count + MESSAGE_OVERHEAD > share:
            break
        used += count + MESSAGE_OVERHEAD
        kept += 1
    return Budget(fixed=fixed, kept_turns=kept, turn_tokens=counts, room=left - used)
