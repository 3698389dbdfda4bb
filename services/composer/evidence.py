"""How a passage stands in the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADING = "Passages:"
"""First line of the evidence message."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage to write: its titles from the document down, its source, and the kept pieces of its text in order."""

    title_path: tuple[str, ...]
    source: str
    pieces: tuple[str, ...]
    gap: str
    """Stands where text between two pieces was left out."""

    @property
    def text(self) -> str:
        """The pieces, with a visible gap between any two."""
        return self.gap.join(self.pieces)


def render(evidence: Sequence[Evidence]) -> str:
    """The evidence message: numbered passages, the number being what the model cites. Empty without evidence."""
    if not evidence:
        return ""
    return "\n\n".join([HEADING, *(_block(number, item) for number, item in enumerate(evidence, start=1))])


def _block(number: int, item: Evidence) -> str:
    title = " > ".join(item.title_path)
    header = " ".join(part for part in (f"[{number}]", title, f"({item.source})" if item.source else "") if part)
    return f"{header}\n{item.text}"
