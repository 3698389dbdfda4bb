"""Characters that a person does not see, removed where no script and no emoji needs them.

Sources: Unicode Standard Annex 9 (bidirectional controls), Technical Standard 51 (emoji sequences, flags of tags), and
the property Default_Ignorable_Code_Point.
"""

import re
import unicodedata
from typing import Final

_RUN: Final = re.compile(
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]+")
_FLAG: Final = "\U0001f3f4"
_FLAGS: Final = frozenset(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f" for region in ("gbeng", "gbsct", "gbwls")
)
"""Tags that make a flag of the black one: the three that Unicode recommends."""
_EMOJI_JOINERS: Final = frozenset({"\u200d", "\ufe0f\u200d"})
_KEYCAP: Final = "\u20e3"
_VARIATIONS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TAKES_VARIATION: Final = frozenset({"So", "Sm", "Lo", "Po", "Pd"})
_JOINERS: Final = frozenset("\u200c\u200d")
_ZERO_WIDTH_SPACE: Final = "\u200b"
_DIRECTION_MARKS: Final = frozenset("\u061c\u200e\u200f")
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})


def remove_hidden(text: str) -> tuple[str, int]:
    """The text without them, and how many stretches of them there were. Doing it twice changes nothing more."""
    # Most texts hold few characters beyond ASCII: only those are looked at one by one.
    if text.isascii() or not _RUN.search("".join(_NOT_ASCII.findall(text))):
        return text, 0
    removed = 0

    def shown(run: re.Match[str]) -> str:
        nonlocal removed
        before, after = text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]
        if _is_needed(run[0], before, after):
            return run[0]
        removed += 1
        return ""

    return _RUN.sub(shown, text), removed


def _is_needed(run: str, before: str, after: str) -> bool:
    return bool(before) and (_makes_emoji(run, before, after) or (len(run) == 1 and _makes_script(run, before, after)))


def _makes_emoji(run: str, before: str, after: str) -> bool:
    return (
        (run in _EMOJI_JOINERS and _is_symbol(before) and _is_symbol(after))
        or (run in _FLAGS and before == _FLAG)
        or (run == "\ufe0f" and after == _KEYCAP)
    )


def _makes_script(run: str, before: str, after: str) -> bool:
    return (
        (run in _JOINERS and _joins(before))
        or (run == _ZERO_WIDTH_SPACE and _has_no_spaces(before) and _has_no_spaces(after))
        or (run in _DIRECTION_MARKS and (_is_right_to_left(before) or _is_right_to_left(after)))
        or ("\u180b" <= run <= "\u180f" and "\u1800" <= before <= "\u18af")
        or (bool(_VARIATIONS.match(run)) and not before.isascii() and unicodedata.category(before) in _TAKES_VARIATION)
    )


def _is_symbol(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character) in {"So", "Sm", "Sk"}


def _joins(character: str) -> bool:
    """Whether it is of a script whose letters change by joiners: Arabic, Indic, Tibetan, Khmer, Mongolian and kin."""
    return "\u0600" <= character <= "\u109f" or "\u1780" <= character <= "\u1cff" or "\ufb50" <= character <= "\ufefc"


def _has_no_spaces(character: str) -> bool:
    """Whether it is of a script that marks where a line may break: Thai, Lao, Tibetan, Burmese, Khmer."""
    return "\u0e00" <= character <= "\u109f" or "\u1780" <= character <= "\u17ff"


def _is_right_to_left(character: str) -> bool:
    return bool(character) and unicodedata.bidirectional(character) in _RIGHT_TO_LEFT
