"""Days and months with a year, each in one way of writing."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from services.gateway.cache.meaning_lexicon import AUXILIARIES, FUNCTION_WORDS, GIVEN_NAMES, MONTH_OF, MONTHS, WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

BESIDE = FUNCTION_WORDS | set(WEEKDAYS)
"""Before and behind a date: other words may belong to its figures, as in "in March 5 people"."""

_DAY = re.compile(r"(\d{1,2})(st|nd|rd|th)?")
_YEAR = re.compile(r"[12]\d{3}")
_LEAP = 2000


class _Day(NamedTuple):
    month: int
    day: int
    ordinal: bool
    end: int
    """Where what follows begins."""


def date_at(words: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """The date that begins there, and where it ends. 5 March is March 5, with a year 2020-03-05."""
    if at == 0 or words[at - 1] not in BESIDE:
        return None
    return _full(words, at) or _month_of_year(words, at)


def _full(words: Sequence[str], at: int) -> tuple[list[str], int] | None:
    found = _month_first(words, at) or _day_first(words, at)
    if found is None:
        return None
    comma = found.end + (words[found.end : found.end + 1] == [","])
    year = words[comma] if comma < len(words) and _YEAR.fullmatch(words[comma]) else None
    end = comma + 1 if year else found.end
    if not _ends(words, end):
        return None
    if not year and not found.ordinal and found.month in GIVEN_NAMES and words[at - 1] in AUXILIARIES:
        return None
    try:
        known = date(int(year or _LEAP), found.month, found.day)
    except ValueError:
        return None
    return ([known.isoformat()] if year else [MONTHS[known.month - 1], str(known.day)]), end


def _month_first(words: Sequence[str], at: int) -> _Day | None:
    """March 5th."""
    if words[at] not in MONTH_OF or at + 1 >= len(words):
        return None
    day = _DAY.fullmatch(words[at + 1])
    return day and _Day(MONTH_OF[words[at]], int(day[1]), bool(day[2]), at + 2)


def _day_first(words: Sequence[str], at: int) -> _Day | None:
    """5 March, 5th March, the 5th of March."""
    the = words[at] == "the"
    at += the
    day = _DAY.fullmatch(words[at]) if at < len(words) else None
    if day is None:
        return None
    of = bool(day[2]) and words[at + 1 : at + 2] == ["of"]
    at += 1 + of
    if (the and not of) or at >= len(words) or words[at] not in MONTH_OF:
        return None
    return _Day(MONTH_OF[words[at]], int(day[1]), bool(day[2]), at + 1)


def _month_of_year(words: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """Sept 2019."""
    if words[at] not in MONTH_OF or at + 1 >= len(words) or not _YEAR.fullmatch(words[at + 1]):
        return None
    return ([MONTHS[MONTH_OF[words[at]] - 1], words[at + 1]], at + 2) if _ends(words, at + 2) else None


def _ends(words: Sequence[str], at: int) -> bool:
    return at >= len(words) or words[at] in BESIDE
