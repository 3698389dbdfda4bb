"""Surface cues: what kind of answer a unit could give, and what kind a question asks for."""

from __future__ import annotations

import re
from enum import IntFlag, auto
from typing import Final

import re2


class Cue(IntFlag):
    """What stands in a unit. The bits are part of the prepared format."""

    NUMBER = auto()
    """A number in digits or words."""
    YEAR = auto()
    """A year between 1000 and 2099."""
    DATE = auto()
    """A month's name or a date in digits."""
    PLACE = auto()
    """A name behind a preposition of place."""


class Ask(IntFlag):
    """What a question asks for; several may hold."""

    TIME = auto()
    """A date or a year."""
    COUNT = auto()
    """A number or an amount."""
    PERSON = auto()
    """A person or a group."""
    LOCATION = auto()
    """A place."""
    THING = auto()
    """Any other "what" or "which": mostly a name."""


_MONTHS: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
_NUMBER_WORDS: Final = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|"
    "ninety|hundred|thousand|million|billion|dozen|once|twice|half|double"
)
_CUES: Final = (
    (Cue.NUMBER, re.compile(rf"\d|\b(?i:{_NUMBER_WORDS})\b")),
    (Cue.YEAR, re.compile(r"(?<!\d)(?:1\d|20)\d\d(?!\d)")),
    (Cue.DATE, re.compile(rf"\b(?:{_MONTHS})\b|\d[./-]\d+[./-]\d")),
    (Cue.PLACE, re.compile(r"\b(?:in|at|near|from|of|to)\s+(?:the\s+)?[^\W\d_a-z]")),
)
# The same patterns for ASCII text as one automaton: a sixth of the time. RE2 has no look-around, and its white space is
# not Python's.
_ASCII_SPACE: Final = r"[\s\v\x1c-\x1f]"
_ASCII_CUES: Final = (
    (Cue.NUMBER, rf"\d|\b(?i:{_NUMBER_WORDS})\b"),
    (Cue.YEAR, r"(?:^|\D)(?:1\d|20)\d\d(?:\D|$)"),
    (Cue.DATE, rf"\b(?:{_MONTHS})\b|\d[./-]\d+[./-]\d"),
    (Cue.PLACE, rf"\b(?:in|at|near|from|of|to){_ASCII_SPACE}+(?:the{_ASCII_SPACE}+)?[A-Z]"),
)
_ASCII_SET: Final = re2.Set.SearchSet()
for _, _pattern in _ASCII_CUES:
    _ASCII_SET.Add(_pattern)
_ASCII_SET.Compile()
_ASKS: Final = (
    (
        Ask.TIME,
        re.compile(
            r"\bwhen\b|\b(?:what|which|in what)\s+(?:\w+\s+)?(?:year|date|day|month|decade|century|time|season)\b"
            r"|\bhow (?:old|long ago)\b|\bdate of (?:birth|death)\b"
        ),
    ),
    (
        Ask.COUNT,
        re.compile(
            r"\bhow (?:many|much|long|far|tall|high|old|big|large|often|deep|fast|heavy|wide)\b"
            r"|\b(?:number|percentage|percent|population|amount|price|cost|age|height|length|distance|size|rate) of\b"
        ),
    ),
    (Ask.PERSON, re.compile(r"\bwho(?:se|m)?\b")),
    (
        Ask.LOCATION,
        re.compile(
            r"\bwhere\b|\b(?:what|which)\s+(?:\w+\s+)?"
            r"(?:city|country|state|county|place|town|region|province|continent|district|village|river|nationality)\b"
            r"|\bplace of (?:birth|death)\b"
        ),
    ),
    (Ask.THING, re.compile(r"\b(?:what|which)\b")),
)
_NAME: Final = re.compile(r"\b[^\W\d_a-z][\w'\u2019-]*")


def cues(text: str) -> Cue:
    """The cues of one unit."""
    if text.isascii():
        return Cue(sum(_ASCII_CUES[index][0] for index in _ASCII_SET.Match(text) or ()))
    return _search(text)


def _search(text: str) -> Cue:
    found = Cue(0)
    for cue, pattern in _CUES:
        if pattern.search(text):
            found |= cue
    return found


def asks(question: str) -> Ask:
    """What the question asks for."""
    lowered = question.casefold()
    found = Ask(0)
    for ask, pattern in _ASKS:
        if pattern.search(lowered):
            found |= ask
    return found


def capitalised(text: str) -> list[str]:
    """Words that do not begin with a small letter, in order: names, and the first word of a sentence."""
    return [word for word in _NAME.findall(text) if not word[0].islower()]
