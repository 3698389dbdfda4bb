"""The providers whose request formats are written and counted."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from services.prompt import anthropic, openai
from services.prompt.message import Message
from services.prompt.request import Format
from services.prompt.tool import Tool
from services.text.tokens import Encoding

ToolDescription = Mapping[str, Any]
"""A tool as a provider's body has it."""


class Provider(Protocol):
    """A provider's format."""

    def describe(self, tools: Sequence[Tool], /) -> tuple[ToolDescription, ...]:
        """The tools as the body has them. Raises ToolError."""
        ...

    def tool_tokens(self, tools: Sequence[ToolDescription], encoding: Encoding, /) -> int:
        """Tokens of described tools; 0 without any."""
        ...

    def body(
        self, messages: Sequence[Message], tools: Sequence[ToolDescription], *, prefix: int, model: str, reserved: int
    ) -> str:
        """The request's body as JSON: equal input, equal bytes. The first `prefix` messages are stable."""
        ...


PROVIDERS: Final[Mapping[Format, Provider]] = MappingProxyType({Format.OPENAI: openai, Format.ANTHROPIC: anthropic})
