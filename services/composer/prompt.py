"""A prompt that fits its budget, every token counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from services.composer.evidence import Evidence, render
from services.text.tokens import MESSAGE_OVERHEAD, REPLY_OVERHEAD, Encoding


class Role(Enum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Section(Enum):
    """A part of the prompt whose tokens are counted apart."""

    INSTRUCTIONS = "instructions"
    CONVERSATION = "conversation"
    EVIDENCE = "evidence"
    QUESTION = "question"
    FORMAT = "format"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the prompt and the section it belongs to."""

    role: Role
    content: str
    section: Section


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages in order, the number of evidence items that fit, and tokens by section."""

    messages: tuple[Message, ...]
    evidence_count: int
    tokens: dict[Section, int]

    @property
    def token_count(self) -> int:
        """All tokens of the messages, chat format included."""
        return sum(self.tokens.values())


class BudgetTooSmallError(ValueError):
    """The parts that cannot be left out need `required` tokens, more than the budget has."""

    def __init__(self, required: int) -> None:
        super().__init__(f"the prompt needs {required} tokens even without evidence")
        self.required = required


def compose(
    *,
    instructions: str,
    conversation: Sequence[tuple[Role, str]],
    evidence: Sequence[Evidence],
    question: str,
    max_tokens: int,
    encoding: Encoding,
) -> Prompt:
    """Writes instructions, conversation, evidence and question, in that order.

    What stays the same between requests comes first, so a provider's prompt cache keeps hitting; what changes most,
    evidence and question, comes last. Each is a message of its own: the chat format separates messages by special
    tokens, so their counts add up exactly.

    `evidence` is most valuable first; the longest head of it that fits is written. Raises BudgetTooSmallError where
    the rest does not fit even without evidence.
    """
    before = [Message(Role.SYSTEM, instructions, Section.INSTRUCTIONS)] if instructions else []
    before += [Message(role, text, Section.CONVERSATION) for role, text in conversation]
    after = [Message(Role.USER, question, Section.QUESTION)]
    tokens = dict.fromkeys(Section, 0)
    tokens[Section.FORMAT] = REPLY_OVERHEAD + MESSAGE_OVERHEAD * len(before + after)
    for message in before + after:
        tokens[message.section] += encoding.count(message.content)
    fixed = sum(tokens.values())
    if fixed > max_tokens:
        raise BudgetTooSmallError(fixed)

    counts = {0: 0}

    def fits(count: int) -> bool:
        counts[count] = encoding.count(render(evidence[:count])) + MESSAGE_OVERHEAD
        return fixed + counts[count] <= max_tokens

    kept = _longest(len(evidence), fits)
    if kept:
        before.append(Message(Role.USER, render(evidence[:kept]), Section.EVIDENCE))
        tokens[Section.EVIDENCE] = counts[kept] - MESSAGE_OVERHEAD
        tokens[Section.FORMAT] += MESSAGE_OVERHEAD
    return Prompt((*before, *after), kept, tokens)


def _longest(count: int, fits: Callable[[int], bool]) -> int:
    """The greatest number up to `count` that fits; the usual case, all of it, is tried first."""
    if not count or fits(count):
        return count
    low, high = 0, count - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
