"""Composes a prompt that fits its budget, evidence kept apart by fences and every token counted."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from services.prompt import anthropic
from services.prompt.block import Block, write_block
from services.prompt.defuse import defuse_speech
from services.prompt.fence import PLAIN_NONCE, closing, draw_nonce, opening, unknown_nonce
from services.prompt.imitations import Imitation
from services.prompt.message import Message, Role, Section, Trust
from services.prompt.order import in_order
from services.prompt.prefix import Prefix, write_prefix
from services.prompt.prompt import Prompt
from services.prompt.request import Format, PromptRequest
from services.text.tokens import MESSAGE_OVERHEAD, REPLY_OVERHEAD, Encoding


class BudgetTooSmallError(ValueError):
    """The parts that cannot be left out need `required` tokens, more than the budget has."""

    def __init__(self, required: int) -> None:
        super().__init__(f"the prompt needs {required} tokens even without evidence")
        self.required = required


def compose(request: PromptRequest, draw: Callable[[], str] = draw_nonce) -> Prompt:
    """Writes the system message, examples, conversation, evidence and question, in that order.

    What stays the same between requests comes first, so a provider's prompt cache keeps hitting; what changes most,
    evidence and question, comes last. Each is a message of its own: the chat format separates messages by special
    tokens, so their counts add up exactly. The longest head of the evidence that fits is written. `draw` makes the
    number of the fences.

    Raises BudgetTooSmallError where the rest does not fit even without evidence, and ToolError.
    """
    encoding = request.encoding
    prefix = write_prefix(request.instructions, request.tools, request.examples, request.format, encoding)
    defused = Counter(prefix.defused)
    tokens = Counter(prefix.tokens)
    spoken = _conversation(request, prefix, defused)
    question = _said(Role.USER, request.question, Section.QUESTION, defused)
    for message in (*spoken, question):
        tokens[message.section] += encoding.count(message.content)
    tokens[Section.FORMAT] += REPLY_OVERHEAD + MESSAGE_OVERHEAD * (len(spoken) + 1)
    tokens[Section.RESERVED_OUTPUT] = request.reserved_output_tokens
    if tokens.total() > request.max_tokens:
        raise BudgetTooSmallError(tokens.total())
    written = _fitting(request, tokens, defused)
    texts = [message.content for message in (*prefix.messages, *spoken, question)]
    texts += [part for tool in request.tools for part in (tool.description, tool.parameters_json)]
    nonce = unknown_nonce([*texts, *(part for block in written for part in (block.header, block.text))], draw)
    evidence, indexes = _fenced(request, written, nonce)
    return Prompt(
        format=request.format,
        messages=(*prefix.messages, *spoken, *evidence, question),
        tools=prefix.tools,
        evidence=indexes,
        tokens=tokens,
        prefix_messages=len(prefix.messages),
        prefix_token_count=prefix.tokens.total(),
        defused=defused,
    )


@lru_cache(maxsize=16)
def fence_tokens(trust: Trust, encoding: Encoding) -> int:
    """Tokens of both lines of a fence, whatever their number."""
    return encoding.count(opening(trust, PLAIN_NONCE)) + encoding.count(closing(trust, PLAIN_NONCE))


def _conversation(request: PromptRequest, prefix: Prefix, defused: Counter[Imitation]) -> list[Message]:
    spoken = [_said(turn.role, turn.text, Section.CONVERSATION, defused) for turn in request.conversation]
    # A turn of nothing that can be seen says nothing, and providers refuse it.
    spoken = [message for message in spoken if message.content.strip()]
    begins = len(prefix.messages) == 1 and bool(spoken) and spoken[0].role is Role.ASSISTANT
    return [anthropic.OPENING, *spoken] if begins and request.format is Format.ANTHROPIC else spoken


def _said(role: Role, text: str, section: Section, defused: Counter[Imitation]) -> Message:
    spoken = defuse_speech(text)
    defused.update(spoken.counts)
    return Message(role, spoken.text, section)


def _fitting(request: PromptRequest, tokens: Counter[Section], defused: Counter[Imitation]) -> list[Block]:
    """The blocks of the evidence that fits, in the order of the request. Their tokens are added to `tokens`."""
    encoding = request.encoding
    written: list[Block] = []
    labels: set[Trust] = set()
    left = request.max_tokens - tokens.total()
    for item in request.evidence:
        block, imitations = write_block(item)
        cost = encoding.count(block.numbered(1))
        fence = 0 if item.trust in labels else fence_tokens(item.trust, encoding) + MESSAGE_OVERHEAD
        left -= cost + fence
        if left < 0:
            break
        tokens[Section.EVIDENCE] += cost
        defused.update(imitations)
        labels.add(item.trust)
        written.append(block)
    tokens[Section.FENCES] = sum(fence_tokens(label, encoding) for label in labels)
    tokens[Section.FORMAT] += MESSAGE_OVERHEAD * len(labels)
    return written


def _fenced(request: PromptRequest, written: list[Block], nonce: str) -> tuple[list[Message], tuple[int, ...]]:
    """One message for each trust label, and the indexes of the passages in the order of their numbers."""
    messages: list[Message] = []
    indexes: list[int] = []
    for trust, group in in_order(request.evidence[: len(written)], request.order):
        numbered = (written[index].numbered(number) for number, index in enumerate(group, start=len(indexes) + 1))
        content = "".join((opening(trust, nonce), *numbered, closing(trust, nonce)))
        messages.append(Message(Role.USER, content, Section.EVIDENCE, trust))
        indexes += group
    return messages, tuple(indexes)
