"""What a prompt is to be made of."""

from dataclasses import dataclass
from enum import Enum

from services.prompt.message import Role, Trust
from services.prompt.tool import Tool
from services.text.tokens import Encoding


class EvidenceOrder(Enum):
    """The order in which passages of one trust label stand."""

    BY_SCORE = "by score"
    BY_SOURCE = "by source"
    BEST_AT_BOTH_ENDS = "best at both ends"


class Format(Enum):
    """The provider whose request format is written and counted."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the conversation so far."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A question with the answer that is wanted."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage to write: its titles from the document down, its source, and what is kept of its text."""

    title_path: tuple[str, ...]
    source: str
    text: str
    """As it was compressed: gaps are marked in it."""
    trust: Trust = Trust.UNTRUSTED
    document_id: str = ""
    start: int = 0
    """Its first code point in its document."""


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """All parts of one prompt, and the room there is."""

    instructions: str
    question: str
    max_tokens: int
    """For messages, tools and reserved output together."""
    encoding: Encoding
    conversation: tuple[Turn, ...] = ()
    """Oldest first."""
    evidence: tuple[Evidence, ...] = ()
    """Most valuable first."""
    tools: tuple[Tool, ...] = ()
    examples: tuple[Example, ...] = ()
    reserved_output_tokens: int = 0
    """Kept free for the answer."""
    order: EvidenceOrder = EvidenceOrder.BY_SCORE
    format: Format = Format.OPENAI
