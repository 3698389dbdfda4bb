"""The body of an OpenAI chat completion, and what its tools cost.

Tools: the counting rule for function definitions that OpenAI publishes (cookbook, "How to count tokens with tiktoken",
section 7). What that rule does not speak of, such as nested schemas, is counted as the JSON it is, so that the sum is
never too low.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.prompt.message import Message
from services.prompt.tool import Tool, read_parameters, to_json
from services.text.tokens import Encoding

_FUNCTION: Final = {"cl100k_base": 10, "o200k_base": 7}
"""Start of a function, by encoding."""
_PROPERTIES: Final = 3
_PROPERTY: Final = 3
_ENUM: Final = -3
_ENUM_ITEM: Final = 3
_END: Final = 12
"""End of all functions, once."""
_COUNTED: Final = frozenset({"type", "description", "enum"})
_COUNTED_ABOVE: Final = frozenset({"type", "properties", "required", "additionalProperties"})


def describe(tools: Sequence[Tool]) -> tuple[Mapping[str, Any], ...]:
    """The tools as the body has them. Raises ToolError."""
    return tuple(
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
        }
        for tool, parameters in zip(tools, read_parameters(tools), strict=True)
    )


def tool_tokens(tools: Sequence[Mapping[str, Any]], encoding: Encoding) -> int:
    """Tokens of described tools; 0 without any."""
    return sum(_function(tool["function"], encoding) for tool in tools) + (_END if tools else 0)


def body(
    messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, prefix: int, model: str, reserved: int
) -> str:
    """The request's body as JSON. The first `prefix` messages need no mark: OpenAI finds equal beginnings itself."""
    del prefix
    fields: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role.value, "content": message.content} for message in messages],
    }
    if tools:
        fields["tools"] = tools
    if reserved:
        fields["max_completion_tokens"] = reserved
    return to_json(fields)


def _function(function: Mapping[str, Any], encoding: Encoding) -> int:
    parameters = function["parameters"]
    properties = parameters.get("properties", {})
    return (
        _FUNCTION[encoding.name]
        + encoding.count(f"{function['name']}:{_unstopped(function['description'])}")
        + (_PROPERTIES if properties else 0)
        + sum(_property(name, value, encoding) for name, value in properties.items())
        + _others(parameters, _COUNTED_ABOVE, encoding)
    )


def _property(name: str, value: Mapping[str, Any], encoding: Encoding) -> int:
    line = f"{name}:{_text(value.get('type', ''))}:{_unstopped(_text(value.get('description', '')))}"
    items = value.get("enum", ())
    items = items if isinstance(items, Sequence) and not isinstance(items, str) else (items,)
    enum = _ENUM + sum(_ENUM_ITEM + encoding.count(_text(item)) for item in items) if items else 0
    return _PROPERTY + encoding.count(line) + enum + _others(value, _COUNTED, encoding)


def _others(schema: Mapping[str, Any], counted: frozenset[str], encoding: Encoding) -> int:
    others = {key: value for key, value in schema.items() if key not in counted}
    return encoding.count(to_json(others)) if others else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else to_json(value)


def _unstopped(text: str) -> str:
    return text.removesuffix(".")
