"""The body of an Anthropic message, and what its tools cost.

Anthropic publishes no tokenizer: the body's texts are counted in the encoding of the request, with the frames of a chat
format, so the count is an estimate.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from services.prompt.message import Message, Role, Section
from services.prompt.tool import Tool, read_parameters, to_json
from services.text.tokens import Encoding

OPENING: Final = Message(Role.USER, "Continue the conversation.", Section.FORMAT)
"""Stands before a conversation that the assistant begins: the first message must be the user's."""

_MAX_TOKENS: Final = 1024
"""Bound of the answer, which the format demands, where nothing is reserved for it."""
_CACHED: Final[Mapping[str, object]] = {"cache_control": {"type": "ephemeral"}}


def describe(tools: Sequence[Tool]) -> tuple[Mapping[str, Any], ...]:
    """The tools as the body has them. Raises ToolError."""
    return tuple(
        {"name": tool.name, "description": tool.description, "input_schema": parameters}
        for tool, parameters in zip(tools, read_parameters(tools), strict=True)
    )


def tool_tokens(tools: Sequence[Mapping[str, Any]], encoding: Encoding) -> int:
    """Tokens of described tools, as the JSON that they are; 0 without any."""
    return sum(encoding.count(to_json(tool)) for tool in tools)


def body(
    messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, prefix: int, model: str, reserved: int
) -> str:
    """The request's body as JSON; the last of the first `prefix` messages, which are stable, ends what is cached."""
    blocks: list[tuple[Role, dict[str, object]]] = [
        (message.role, {"type": "text", "text": message.content, **(_CACHED if number == prefix else {})})
        for number, message in enumerate(messages, start=1)
    ]
    fields: dict[str, object] = {
        "model": model,
        "max_tokens": reserved or _MAX_TOKENS,
        "system": [block for role, block in blocks if role is Role.SYSTEM],
        "messages": [
            {"role": role.value, "content": [block for _, block in turn]}
            for role, turn in groupby((item for item in blocks if item[0] is not Role.SYSTEM), key=lambda item: item[0])
        ],
    }
    if tools:
        fields["tools"] = tools
    return to_json(fields)
