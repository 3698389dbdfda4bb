"""One message of a prompt, in no provider's own format."""

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Section(Enum):
    """A part of the prompt whose tokens are counted apart."""

    INSTRUCTIONS = "instructions"
    POLICY = "policy"
    TOOLS = "tools"
    EXAMPLES = "examples"
    CONVERSATION = "conversation"
    FENCES = "fences"
    EVIDENCE = "evidence"
    QUESTION = "question"
    FORMAT = "format"
    RESERVED_OUTPUT = "reserved output"


class Trust(Enum):
    """How far evidence may be believed, in the order in which it stands in the prompt."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Message:
    """What one role says, and the part of the prompt it belongs to."""

    role: Role
    content: str
    section: Section
    trust: Trust | None = None
    """Of evidence, the one label of all that the message holds; None for anything else."""
