"""Exact counts of kept prose from the counts of its units, without a look at all of its text again.

Whatever stands around them, both encodings cut a text behind a word, and before a blank and a word, where a word is
anything without white space at its edges; byte pairs never melt across a cut (`services.text.tokens` has the patterns).
So the tokens of units with a blank between them are the sum of the units' own, but for the first one, which has no
blank, and for the line end that each unit was counted with and that only the last one has. Both differences lie in one
word: that of the unit's beginning, and that of its end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from services.text.memo import Memo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.compressor.ports import TokenCounter

_KNOWN_WORDS: Final = 1 << 14


class Seams:
    """Adds up units as one encoding counts them."""

    def __init__(self, encoding: TokenCounter) -> None:
        self._count = encoding.count
        self._heads = Memo(self._head, _KNOWN_WORDS)
        self._tails = Memo(self._tail, _KNOWN_WORDS)
        self._gaps = Memo(self._gap, _KNOWN_WORDS)

    def total(self, units: Sequence[str], counts: Sequence[int], gap: str, gap_count: int) -> int | None:
        """Tokens of the units with a blank between neighbours and a line end behind the last one.

        Args:
            units: at least one.
            counts: tokens of a blank, the unit and a line end, one for each unit.
            gap: stands in place of a blank `gap_count` times.
            gap_count: 0 or more.

        Returns:
            The exact number, or None where it cannot be told without counting: a unit begins or ends with white space,
            the first one is a single word, or the gap is not blank, words, blank.
        """
        first, blank, _ = units[0].partition(" ")
        head = self._heads[first] if blank else None
        if head is None:
            return None
        total = sum(counts) + head
        if gap_count:
            mark = self._gaps[gap]
            if mark is None:
                return None
            total += mark * gap_count
        for unit in units[1:]:
            if unit[0].isspace():
                return None
        for unit in units[:-1]:
            tail = self._tails[unit.rpartition(" ")[2]]
            if tail is None:
                return None
            total -= tail
        return total

    def _head(self, word: str) -> int | None:
        """Tokens that a word takes more without a blank before it."""
        return None if _is_uneven(word) else self._count(word) - self._count(f" {word}")

    def _tail(self, word: str) -> int | None:
        """Tokens that a line end adds to a word."""
        return None if _is_uneven(word) else self._count(f" {word}\n") - self._count(f" {word}")

    def _gap(self, gap: str) -> int | None:
        """Tokens of a gap beyond the blank before the next unit."""
        if gap == " ":
            return 0
        mark = gap[1:-1]
        if gap != f" {mark} " or _is_uneven(mark):
            return None
        return self._count(f" {mark}")


def _is_uneven(text: str) -> bool:
    """Whether it is empty, or white space stands at its edges."""
    return not text or text[0].isspace() or text[-1].isspace()


@lru_cache(maxsize=8)
def seams_of(encoding: TokenCounter) -> Seams:
    """The seams of an encoding, and what is known of its words."""
    return Seams(encoding)
