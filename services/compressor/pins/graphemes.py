"""Widens facts so that none cuts what a reader sees as one character."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.compressor.pins.references import Fact

_JOINERS: Final = frozenset("\u200c\u200d")
_LATE_VOWELS: Final = frozenset("\u0e33\u0eb3\uff9e\uff9f")
"""Letters that Unicode joins to what stands before them: SARA AM, voiced sound marks of half width."""
_PREPENDED: Final = frozenset("\u0d4e\U000111c2\U000111c3\U0001193f\U00011941\U00011a3a\U00011d46\U00011f02")


def widen(text: str, facts: Iterable[Fact]) -> list[Fact]:
    """The facts, each with the whole of its first and last characters; those that then overlap are one."""
    wide: list[Fact] = []
    for start, end, kind in facts:
        first, last = whole(text, start, end)
        if wide and first < wide[-1][1]:
            first = wide[-1][0]
            kind = wide.pop()[2]  # noqa: PLW2901
        wide.append((first, last, kind))
    return wide


def whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The span with the whole of its first and last characters."""
    while start > 0 and joined(text, start):
        start -= 1
    while end < len(text) and joined(text, end):
        end += 1
    return start, end


def joined(text: str, at: int) -> bool:
    """Whether the characters around a bound may be one to the reader; may be true where they are not.

    Source: the rules GB6 to GB13 of Unicode Standard Annex 29, by categories instead of its tables.
    """
    before, after = text[at - 1], text[at]
    if before <= "\x7f" and after <= "\x7f":
        return False
    category = unicodedata.category(after)
    if category in {"Mn", "Me", "Mc"} or after in _JOINERS or before == "\u200d" or after in _LATE_VOWELS:
        return True
    if before in _PREPENDED or (
        unicodedata.category(before) == "Cf" and before not in "\u200c\u00ad\u200e\u200f\ufeff"
    ):
        return True
    point, previous = ord(after), ord(before)
    if _is_jamo(point) or 0x1F3FB <= point <= 0x1F3FF or 0xE0020 <= point <= 0xE007F:  # noqa: PLR2004
        return True
    if 0x1F1E6 <= point <= 0x1F1FF:  # noqa: PLR2004
        return 0x1F1E6 <= previous <= 0x1F1FF  # noqa: PLR2004
    # A conjunct of Indic scripts: a consonant behind a virama.
    return unicodedata.combining(before) == 9 and category == "Lo"  # noqa: PLR2004


def _is_jamo(point: int) -> bool:
    return 0x1100 <= point <= 0x11FF or 0xA960 <= point <= 0xA97C or 0xD7B0 <= point <= 0xD7FB  # noqa: PLR2004
