"""A text as a reader sees it."""

from dataclasses import dataclass
from typing import Self

from services.prompt.hidden import remove_hidden


@dataclass(frozen=True, slots=True)
class Visible:
    """What is left of a text without hidden characters, which the prompt loses too: none of them hides a value."""

    text: str
    offsets: tuple[int, ...] | None
    """Where each character stands in the original; None where nothing was hidden."""

    @classmethod
    def of(cls, original: str) -> Self:
        """The visible part of a text."""
        shown, hidden = remove_hidden(original)
        if not hidden:
            return cls(original, None)
        offsets = []
        at = -1
        for character in shown:
            # Hidden ones are removed by whole stretches, so that the next one that is equal is the one that was kept.
            at = original.index(character, at + 1)
            offsets.append(at)
        return cls(shown, tuple(offsets))

    def original_range(self, start: int, end: int) -> tuple[int, int]:
        """A range of the visible text as one of the original. Not empty."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1
