"""Defuses what imitates the frame of a prompt: visibly, and no more than needed.

One character of an imitation is exchanged for one that looks like it, so that people and models read on as before while
no tokenizer and no template takes it for the real thing. Hidden characters are removed.
"""

from collections import Counter
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.prompt.folding import fold
from services.prompt.hidden import remove_hidden
from services.prompt.imitations import IN_EVIDENCE, IN_SPEECH, Imitation, Patterns
from services.text.memo import Memo

_MARKS: Final = MappingProxyType(
    {"<": "\u2039", "[": "\u2045", ":": "\u2236", " ": "\u00b7", "\t": "\u00b7", "_": "\u00b7", "-": "\u00b7"}
)
"""What is exchanged, and for what. None of the marks is folded back."""


@dataclass(frozen=True, slots=True)
class Defused:
    """A text in which nothing imitates the prompt's frame any more."""

    text: str
    counts: Counter[Imitation]
    """How many of each kind there were; hidden characters count once a stretch."""


def defuse_evidence(text: str) -> Defused:
    """A text that stands in evidence: fences, headers, special tokens, role markers and hidden characters."""
    return _defuse(text, IN_EVIDENCE)


def defuse_title(text: str) -> Defused:
    """A text that stands in a passage's header: the same, and it becomes one line."""
    return _TITLES[text]


def defuse_speech(text: str) -> Defused:
    """What a user or the assistant says in a role of his own: fences, special tokens and hidden characters."""
    return _defuse(text, IN_SPEECH)


def _defuse(text: str, patterns: Patterns) -> Defused:
    """Doing it twice changes nothing more: imitations of one kind do not overlap, and no mark makes a new one."""
    text, hidden = remove_hidden(text)
    counts = Counter({Imitation.HIDDEN: hidden}) if hidden else Counter()
    folded = f"\n{fold(text)}"
    marks: dict[int, str] = {}
    for imitation, pattern in patterns:
        for match in pattern.finditer(folded):
            at = match.start(match.lastindex or 0)
            marks[at - 1] = _MARKS[folded[at]]
            counts[imitation] += 1
    if marks:
        text = "".join(marks.get(at, character) for at, character in enumerate(text))
    return Defused(text, counts)


def _defuse_line(text: str) -> Defused:
    lines = _defuse(text, IN_EVIDENCE)
    # What stood in two lines may be an imitation in one.
    line = _defuse(" ".join(lines.text.splitlines()), IN_EVIDENCE)
    return Defused(line.text, lines.counts + line.counts)


_TITLES: Final = Memo(_defuse_line, 4_096)
"""Titles and sources come back in most requests."""
