"""Whether a text has a fact: verbatim, and not as a part of another fact."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from services.compressor.pins.find import find_facts
from services.compressor.pins.pin import Pin, PinType
from services.compressor.summary.sentence import number_words

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANY_CASE: Final[frozenset[PinType | None]] = frozenset({PinType.DATE, PinType.CITATION})
"""Elsewhere case tells facts apart: 5 mW and 5 MW."""
_JOINERS: Final = frozenset(".,:/\\-@#=&?+~")
"""Between two letters or digits, they make one word of both sides."""
_SIGNS: Final = frozenset("+-.,")
"""Before a digit, a part of the number."""
_COMPARISONS: Final = frozenset("<>=≤≥±≈~")
_UNIT_SIGNS: Final = frozenset("%‰°")
_YEAR: Final = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")


class Facts:
    """The facts of a passage.

    Args:
        text: normalised.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._pins = [Pin(*fact) for fact in find_facts(text)]
        self._starts = [pin.start for pin in self._pins]

    def lacks(self, summary: str) -> bool:
        """Whether a normalised summary has a fact that is none of the passage.

        Beside its pins, its words with a digit are looked up, so that what the finder of pins does not know is not
        invented either.
        """
        return not (
            all(self.has(summary[start:end], kind) for start, end, kind in find_facts(summary))
            and all(self.has(word) for word in number_words(summary))
        )

    def has(self, fact: str, kind: PinType | None = None) -> bool:
        """Whether a fact stands in the passage: as a pin, or between the borders of words and in no larger pin."""
        return any(
            self._allows(start, end, kind) for start, end in _occurrences(fact, self._text, any_case=kind in _ANY_CASE)
        )

    def _allows(self, start: int, end: int, kind: PinType | None) -> bool:
        # Such pins do not overlap: the last one that begins here or before is the only one that can hold the fact.
        index = bisect_right(self._starts, start) - 1
        pin = self._pins[index] if index >= 0 else None
        if pin and (pin.start, pin.end) == (start, end):
            return True
        # 5 of 5 km is another fact. A date may lose its day.
        maimed = pin and end <= pin.end and pin.type is kind
        if maimed and not (kind is PinType.DATE and _YEAR.search(self._text, start, end)):
            return False
        return _is_apart(self._text, start, end)


def stands(fact: str, text: str) -> bool:
    """Whether a fact stands in a text between the borders of words; both are normalised."""
    return any(_is_apart(text, start, end) for start, end in _occurrences(fact, text, any_case=False))


def _occurrences(fact: str, text: str, *, any_case: bool) -> Iterator[tuple[int, int]]:
    pattern = r"\s+".join(map(re.escape, fact.split()))
    if pattern:
        yield from (match.span() for match in re.finditer(pattern, text, re.IGNORECASE if any_case else 0))


def _is_apart(text: str, start: int, end: int) -> bool:
    return _begins(text, start) and _ends(text, end)


def _begins(text: str, start: int) -> bool:
    """Whether what begins at `start` is not the rest of something."""
    if not start or not (text[start].isalnum() or text[start] == "_"):
        return True
    before = text[start - 1]
    if before.isalnum() or before == "_":
        return False
    if before in _JOINERS and start > 1 and text[start - 2].isalnum():
        return False
    if not text[start].isdigit():
        return True
    if before in _SIGNS or unicodedata.category(before) == "Sc":
        return False
    return text[max(0, start - 3) : start].rstrip(" ")[-1:] not in _COMPARISONS


def _ends(text: str, end: int) -> bool:
    """Whether what ends at `end` does not go on."""
    if end >= len(text) or not (text[end - 1].isalnum() or text[end - 1] == "_"):
        return True
    behind = text[end]
    if behind.isalnum() or behind == "_":
        return False
    if behind in _JOINERS and text[end + 1 : end + 2].isalnum():
        return False
    if not text[end - 1].isdigit():
        return True
    sign = text[end : end + 2].lstrip(" ")[:1]
    return sign not in _UNIT_SIGNS and not (sign and unicodedata.category(sign) == "Sc")
