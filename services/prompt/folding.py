"""Look-alikes of ASCII characters, made equal so that an imitation is found however it is written."""

import re
import unicodedata
from typing import Final

_LETTERS: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсухһԁΑΒΕΖΗΙΚΜΝΟΡΤΥΧορν\u0131",  # noqa: RUF001 - look-alikes are the point
    "ABESIJKMHOPCTXYaesijopcyxhdABEZHIKMNOPTYXopvi",
)
"""Cyrillic and Greek letters; they count as Latin ones only where they stand in a word with such."""
_SIGNS: Final = str.maketrans("\u27e8\u3008\u27e9\u3009", "<<>>")
_LETTER_SET: Final = "".join(map(chr, _LETTERS))
_COMPATIBLE: Final = (
    f"{''.join(map(chr, _SIGNS))}\u00b2\u00b3\u00b9\u2070-\u209c\u2100-\u214f\u2160-\u217f\u2460-\u24ff"
    "\ufe13-\ufe6b\uff03\uff0a\uff0d\uff0f-\uff1a\uff1c-\uff1e\uff21-\uff5e\U0001d400-\U0001d7ff"
)
_LOOK_ALIKES: Final = re.compile(
    f"(?<=[A-Za-z])[{_LETTER_SET}]+|(?<![{_LETTER_SET}])[{_LETTER_SET}]++(?=[A-Za-z])|[{_COMPATIBLE}]"
)
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]+")
_PERHAPS: Final = re.compile(f"[{_LETTER_SET}{_COMPATIBLE}]")


def fold(text: str) -> str:
    """The text with look-alikes made ASCII: as long as before, character by character. For comparing, not for showing.

    Fullwidth, mathematical and other compatibility letters (NFKC), and Cyrillic and Greek ones in Latin words.
    """
    if text.isascii() or not _PERHAPS.search("".join(_NOT_ASCII.findall(text))):
        return text
    return _LOOK_ALIKES.sub(_folded, text)


def _folded(match: re.Match[str]) -> str:
    return "".join(map(_fold, match[0].translate(_LETTERS).translate(_SIGNS)))


def _fold(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 else character
