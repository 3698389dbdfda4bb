"""A finished prompt."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.prompt.imitations import Imitation
from services.prompt.message import Message, Section
from services.prompt.provider import PROVIDERS, ToolDescription
from services.prompt.request import Format


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages in order, the evidence that stands in them, and the tokens of all."""

    format: Format
    messages: tuple[Message, ...]
    tools: tuple[ToolDescription, ...]
    evidence: tuple[int, ...]
    """Indexes into the request's evidence, in the order of their citations, which begin at 1."""
    tokens: Mapping[Section, int]
    """By section, reserved output included."""
    prefix_messages: int
    """How many of the messages are the same in every request of equal instructions, tools and examples."""
    prefix_token_count: int
    """Their tokens and those of the tools."""
    defused: Mapping[Imitation, int]

    @property
    def token_count(self) -> int:
        """All tokens."""
        return sum(self.tokens.values())

    def body(self, model: str) -> str:
        """The body of the provider's request for a model, as JSON."""
        reserved = self.tokens.get(Section.RESERVED_OUTPUT, 0)
        return PROVIDERS[self.format].body(
            self.messages, self.tools, prefix=self.prefix_messages, model=model, reserved=reserved
        )
