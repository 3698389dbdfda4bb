"""What a prompt costs before its conversation and its evidence are known: for sharing a budget out."""

from collections.abc import Iterable
from typing import Final

from scic.type.v1 import prompt_pb2, trust_pb2
from services.prompt import anthropic
from services.prompt.compose import fence_tokens
from services.prompt.defuse import defuse_speech
from services.prompt.prefix import write_prefix
from services.prompt.request import Format
from services.prompt.tool import ToolError
from services.prompt.wire import read_examples, read_format, read_tools, read_trust, unreadable_tool
from services.text.tokens import MESSAGE_OVERHEAD, REPLY_OVERHEAD, Encoding

EVIDENCE_TOKENS: Final = 66
"""Bound for the fences of evidence and the frames of its messages, of both trust labels together."""
PASSAGE_TOKENS: Final = 12
"""Bound for what the prompt spends on a passage besides its title line and its text with a line end each: its number,
its source and what separates them. A source's name of many rare words, and imitations to defuse, may cost more."""


def fixed_tokens(
    *,
    instructions: str,
    tools: Iterable[prompt_pb2.Tool],
    examples: Iterable[prompt_pb2.Example],
    question: str,
    reserved_output_tokens: int,
    format: prompt_pb2.PromptFormat.ValueType,  # noqa: A002 - the API's word
    encoding: Encoding,
) -> int:
    """Tokens of all but conversation and evidence, reserved output and the frame of the reply included.

    Exact, save that Anthropic's format without examples is counted with the line that stands before a conversation
    which the assistant begins. What does not depend on the question is counted once for each profile in use.

    Raises ScicError INVALID_FIELD for a tool's parameters.
    """
    provider, shown = read_format(format), read_examples(examples)
    try:
        prefix = write_prefix(instructions, read_tools(tools), shown, provider, encoding)
    except ToolError as error:
        raise unreadable_tool(error) from error
    opening = anthropic.OPENING.content if provider is Format.ANTHROPIC and not shown else ""
    return (
        prefix.tokens.total()
        + turn_tokens(question, encoding)
        + (turn_tokens(opening, encoding) if opening else 0)
        + REPLY_OVERHEAD
        + reserved_output_tokens
    )


def frame_tokens(labels: Iterable[trust_pb2.TrustLabel.ValueType], encoding: Encoding) -> int:
    """Tokens of the fences and frames of evidence of these labels; never above `EVIDENCE_TOKENS`."""
    return sum(fence_tokens(trust, encoding) + MESSAGE_OVERHEAD for trust in set(map(read_trust, labels)))


def turn_tokens(text: str, encoding: Encoding) -> int:
    """Tokens of one turn as it stands in the prompt, its frame included."""
    return encoding.count(defuse_speech(text).text) + MESSAGE_OVERHEAD
