"""Exact counts of a text from the counts of its units, without a look at all of it again.

Whatever stands around them, both encodings cut a text behind a word, and before a blank and a word, where a word is
anything without white space at its edges; byte pairs never melt across a cut (`services.text.tokens` has the patterns).
So a unit can be told into its first word, its last word with the blank before it, and the tokens in between, which are
the same wherever it stands. What has to be counted is the last word of a unit with what stands between and the first
word of the next unit: it is short, and comes again and again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from services.text.memo import Memo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.compressor.ports import TokenCounter

_KNOWN: Final = 1 << 16


class Seams:
    """Adds up units as one encoding counts them."""

    def __init__(self, encoding: TokenCounter) -> None:
        self._counts = Memo(encoding.count, _KNOWN)

    def total(self, parts: Sequence[str], counts: Sequence[int]) -> int:
        """Tokens of a text and a line end behind it.

        Args:
            parts: what stands before the first unit, the unit, what stands before the next, and so on to what stands
                behind the last.
            counts: tokens of a blank, the unit and a line end, one for each unit.
        """
        known = self._counts
        total = 0
        uncounted = ""
        """The text from the last cut on."""
        for between, unit, count in zip(parts[:-1:2], parts[1::2], counts, strict=True):
            uncounted += between
            behind_head = unit.find(" ", len(unit) - len(unit.lstrip()))
            head, tail = unit[:behind_head], unit[unit.rfind(" ") :]
            if behind_head < 0 or head[-1].isspace() or tail[1:2].isspace() or len(tail) == 1:
                uncounted += unit
                continue
            before = uncounted[:-1]
            if uncounted[-1:] == " " and before and not before[-1].isspace():
                total += known[before]
            else:
                total += known[uncounted + head] - known[f" {head}"]
            total += count - known[f"{tail}\n"]
            uncounted = tail
        return total + known[f"{uncounted}{parts[-1]}\n"]


@lru_cache(maxsize=8)
def seams_of(encoding: TokenCounter) -> Seams:
    """The seams of an encoding, and what is known of its words."""
    return Seams(encoding)
