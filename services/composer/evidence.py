"""How a passage stands in the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADING = "Passages:"
"""First line of the evidence message."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage to write: its titles from the document down, its source, and what is kept of its text."""

    title_path: tuple[str, ...]
    source: str
    text: str
    """As it was compressed: gaps are marked in it."""


def render(evidence: Sequence[Evidence]) -> str:
    """The evidence message: numbered passages, the number being what the model cites. Empty without evidence."""
    if not evidence:
        return ""
    return "\n\n".join([HEADING, *(_block(number, item) for number, item in enumerate(evidence, start=1))])


def _block(number: int, item: Evidence) -> str:
    title = " > ".join(item.title_path)
    header = " ".join(part for part in (f"[{number}]", title, f"({item.source})" if item.source else "") if part)
    return f"{header}\n{item.text}"
