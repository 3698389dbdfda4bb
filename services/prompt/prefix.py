"""What comes first in a prompt and is the same in every request of equal instructions, tools and examples."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from services.prompt.defuse import defuse_speech
from services.prompt.imitations import Imitation
from services.prompt.message import Message, Role, Section
from services.prompt.policy import with_policy
from services.prompt.provider import PROVIDERS, ToolDescription
from services.prompt.request import Example, Format
from services.prompt.tool import Tool
from services.text.tokens import MESSAGE_OVERHEAD, Encoding


@dataclass(frozen=True, slots=True)
class Prefix:
    """Its messages and tools, its tokens by section with the frames of its messages, and what was defused in it."""

    messages: tuple[Message, ...]
    tools: tuple[ToolDescription, ...]
    tokens: Counter[Section]
    defused: Counter[Imitation]


@lru_cache(maxsize=64)
def write_prefix(
    instructions: str, tools: tuple[Tool, ...], examples: tuple[Example, ...], provider: Format, encoding: Encoding
) -> Prefix:
    """Writes and counts the prefix, once for each profile in use. Raises ToolError."""
    defused: Counter[Imitation] = Counter()
    messages = [Message(Role.SYSTEM, with_policy(instructions), Section.INSTRUCTIONS)]
    for example in examples:
        for role, text in ((Role.USER, example.question), (Role.ASSISTANT, example.answer)):
            spoken = defuse_speech(text)
            defused.update(spoken.counts)
            messages.append(Message(role, spoken.text, Section.EXAMPLES))
    system, *shown = encoding.count_batch([message.content for message in messages])
    described = PROVIDERS[provider].describe(tools)
    own = encoding.count(instructions)
    tokens = Counter(
        {
            Section.INSTRUCTIONS: own,
            # What the rules add to the same message.
            Section.POLICY: system - own,
            Section.TOOLS: PROVIDERS[provider].tool_tokens(described, encoding),
            Section.EXAMPLES: sum(shown),
            Section.FORMAT: MESSAGE_OVERHEAD * len(messages),
        }
    )
    return Prefix(tuple(messages), described, tokens, defused)
