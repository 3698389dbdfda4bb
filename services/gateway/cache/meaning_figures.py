"""Numbers, amounts, units and times, each in one way of writing. Nothing is converted or rounded."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from services.gateway.cache.meaning_dates import BESIDE, date_at
from services.gateway.cache.meaning_lexicon import MONTH_OF, ORDINALS, SCALES
from services.gateway.cache.meaning_units import ATTACHED, PHRASES, SINGULARS, UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

Read = tuple[list[str], int]
"""Words in their plain form, and where what follows begins."""

_GROUPED = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_PLAIN = re.compile(r"(?:0|[1-9]\d*)(?:\.\d+)?")
_FIGURE = re.compile(r"([$€]?)(\d[\d.,]*)([^\d.,]*)")
_CLOCK = re.compile(r"((?:1[0-2]|[1-9])(?::[0-5]\d)?)(\D*)")
_HALVES = {"am": "am", "a.m.": "am", "AM": "am", "pm": "pm", "p.m.": "pm", "PM": "pm"}
_COUNTED = frozenset({"", "people", "of", "in", "for", "per", "a", "by", "with", "is", "are", ","})
_BETWEEN = frozenset({"and", "or", "to"})


def plain_figures(words: Sequence[str]) -> list[str]:
    """The words with every figure in its plain form."""
    written: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        figure = word[0].isdigit()
        read = date_at(words, at) if figure or word in MONTH_OF or word == "the" else None
        if read is None and (figure or word[0] in "$€"):
            read = _ordinal(words, at) or _time(words, at) or _amount(words, at)
        found, at = read or ([word], at + 1)
        written.extend(found)
    return written


def _ordinal(words: Sequence[str], at: int) -> Read | None:
    return ([ORDINALS[words[at]]], at + 1) if words[at] in ORDINALS else None


def _time(words: Sequence[str], at: int) -> Read | None:
    """9 am, 9am and 9 a.m.; not the "am" of "which of the 5 am I"."""
    clock = _CLOCK.fullmatch(words[at])
    if clock is None:
        return None
    half, after = clock[2], at + 1
    if not half and after < len(words):
        half, after = words[after], after + 1
    if half not in _HALVES or (after < len(words) and (words[after] not in BESIDE or words[after] == "I")):
        return None
    return [clock[1], _HALVES[half]], after


def _amount(words: Sequence[str], at: int) -> Read | None:
    """A number with its currency, its scale, its percent sign or its unit."""
    figure = _FIGURE.fullmatch(words[at])
    if figure is None or (figure[1] and figure[3]):
        return None
    sign, number, unit = figure.groups()
    if _GROUPED.fullmatch(number):
        number = number.replace(",", "")
    elif not _PLAIN.fullmatch(number):
        return None
    if unit:
        return (
            ([number, UNITS[unit]], at + 1) if unit in ATTACHED else ([f"{number}%"], at + 1) if unit == "%" else None
        )
    at += 1
    if percent := _percent(words, at):
        return [f"{number}%"], at + percent
    if at < len(words) and words[at] in SCALES and (sign or _scales(words, at)):
        number, at = _scaled(number, words[at]), at + 1
    if sign:
        return [number, "dollars" if sign == "$" else "euros"], at
    units, at = _unit(words, at, number)
    return [number, *units], at


def _percent(words: Sequence[str], at: int) -> int:
    """How many words say "percent" there."""
    if words[at : at + 2] == ["per", "cent"]:
        return 2
    return int(words[at : at + 1] in (["%"], ["percent"]))


def _unit(words: Sequence[str], at: int, number: str) -> Read:
    follows = words[at] if at < len(words) else ""
    unit = UNITS.get(follows) or (SINGULARS.get(follows) if number == "1" else None)
    for length in (3, 2):
        if phrase := PHRASES.get((unit or follows, *words[at + 1 : at + length])):
            return [phrase], at + length
    return ([unit], at + 1) if unit else ([], at)


def _scales(words: Sequence[str], at: int) -> bool:
    """Whether the scale belongs to the one number before it, and ends it.

    Not in "two hundred and fifty" and "two or three hundred"; and "two million dollar houses" cost a million each.
    """
    after = words[at + 1] if at + 1 < len(words) else ""
    if not (after in _COUNTED or after in UNITS or (after.endswith("s") and after.isalpha())):
        return False
    number, linked = at - 1, words[at - 2] in _BETWEEN
    return not (linked and words[number - 2][:1].isdigit())


def _scaled(number: str, scale: str) -> str:
    value = Decimal(number) * SCALES[scale]
    return str(int(value)) if value == value.to_integral() else f"{value.normalize():f}"
