"""A function that the model may call."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_NO_PARAMETERS: Final = '{"type":"object","properties":{}}'


class ToolError(ValueError):
    """The parameters of the tool at `index` are no JSON Schema of type `object`."""

    def __init__(self, index: int, expectation: str) -> None:
        super().__init__(f"the parameters of tool {index} cannot be read: they {expectation}")
        self.index = index
        self.expectation = expectation


@dataclass(frozen=True, slots=True)
class Tool:
    """Its name, what it does, and its parameters."""

    name: str
    description: str
    parameters_json: str = ""
    """A JSON Schema of type `object`; empty: it takes none."""


def read_parameters(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The parameters of each tool. Raises ToolError."""
    return [_read(index, tool.parameters_json or _NO_PARAMETERS) for index, tool in enumerate(tools)]


def to_json(value: object) -> str:
    """The one way in which JSON is written here: the same value always gives the same bytes. Raises ValueError."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _read(index: int, text: str) -> dict[str, Any]:
    try:
        schema = json.loads(text)
        # What JSON can escape but UTF-8 cannot hold, and numbers beyond a float, would fail when it is sent.
        to_json(schema).encode()
    except (ValueError, RecursionError):
        raise ToolError(index, "must be JSON") from None
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ToolError(index, "must be a JSON Schema of type `object`")
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping) or not all(isinstance(value, Mapping) for value in properties.values()):
        raise ToolError(index, "must have an object of objects as `properties`")
    return schema
