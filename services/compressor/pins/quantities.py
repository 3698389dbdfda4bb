# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""Numbers with their units, dates, and references by number: all that begins at a digit or at the word before it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import re2

from services.compressor.pins.pin import PinType
from services.compressor.pins.scalars import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.compressor.pins.references import Fact

GAP: Final = r"(?:[ \t\u00a0\u2009\u202f]{1,2}|[ \t]?\r?\n[ \t]{0,8})"
"""Between words of one fact; a blank line never stands inside one."""

_MONTH: Final = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?|Sept?(?:ember|\.)?"
    r"|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)(?!\w)"
)
_ERA: Final = r"(?:BCE?|CE|AD|B\.C\.(?:E\.)?|A\.D\.)(?!\w)"
_SECONDS: Final = (
    rf"(?::\d{{2}}(?:[.,]\d{{1,9}})?)?(?:{GAP}?[aApP]\.?[mM](?:\.|(?!\w)))?"
    rf"(?:{GAP}?(?:UTC|GMT|CES?T|[ECMP][SD]?T|BST|IST|JST)(?!\w)(?:[+-]\d{{1,2}})?|Z(?!\w)"
    rf"|{GAP}?[+-]\d{{2}}:?\d{{2}}(?!\d))?"
)
_CLOCK: Final = rf"\d{{1,2}}:\d{{2}}{_SECONDS}"
_YEAR: Final = r"(?:1\d|20)\d\d"
_TO: Final = rf"(?:{GAP}?(?:--|[-–—]){GAP}?)"
_DATE: Final = re.compile(
    rf"""(?:
      \d{{4}}(?!\d)(?:
          -(?:0[1-9]|1[0-2])(?![\d])(?:-[0-3]\d(?!\d))?(?:[T ]{_CLOCK})?
        | -W\d\d(?:-\d)?
        | (?P<apart>[/.])\d{{1,2}}(?P=apart)\d{{1,2}}(?![\d.])
        | [年년](?:\s?\d{{1,2}}[月월](?:\s?\d{{1,2}}[日일])?)?
        | (?:{_TO}\d{{1,4}})?{GAP}{_ERA}
        | (?<=(?:1\d|20)\d\d)(?:0?'?s(?!\w)|{_TO}(?:{_YEAR}|\d\d)(?!\w|[.,-]\d))?(?!\w|[.,:/]\d)
      )
    | \d{{1,2}}(?!\d)(?:
          (?<=\d):\d\d(?!\d){_SECONDS}(?!:)
        | (?P<slash>[/.-])\d{{1,2}}(?P=slash)(?:\d{{4}}|\d{{2}})(?![\d.])
        | [月월](?:\s?\d{{1,2}}[日일])?
        | [日일]
        | {GAP}?[ap]\.?m(?:\.|(?!\w))
        | (?:st|nd|rd|th)(?:{GAP}|-)centur(?:y|ies)(?!\w)(?:{GAP}{_ERA})?
        | (?:st|nd|rd|th)?(?:{_TO}\d{{1,2}}(?:st|nd|rd|th)?)?(?:{GAP}of)?(?:{GAP}|-){_MONTH}
          (?:,?(?:{GAP}|-)\d{{2,4}}(?!\d)(?:{GAP}{_ERA})?)?
      )
    | \d{{1,3}}(?:{_TO}\d{{1,4}})?{GAP}{_ERA}
    )""",
    re.VERBOSE,
)
_AFTER_MONTH: Final = re.compile(
    rf"\d{{1,2}}(?:st|nd|rd|th)?(?:{GAP}?[-–]{GAP}?\d{{1,2}}(?:st|nd|rd|th)?)?(?!\d|:\d)"
    rf"(?:,?{GAP}\d{{4}}(?!\d)(?:{GAP}{_ERA})?)?|\d{{4}}(?!\d)"
)
_PERIOD: Final = re.compile(rf"(?:[QH][1-4]|FY)(?:{GAP}|[-/])?(?:(?:19|20)\d\d|'\d\d)(?!\w)|Q[1-4](?!\w)")

_AMOUNT: Final = r"(?:\d++(?:[.,'’٫٬]\d++)*+(?:[ \u00a0\u2009\u202f]\d{3}(?![\d.,]\d|\d))*+|(?<![\w.])\.\d++)"
_POWER: Final = r"(?:[eE][+−-]?\d{1,4}(?!\w)|(?:\s?[×x·*]\s?10(?:\^[+−-]?\d+|[⁺⁻]?[⁰¹²³⁴-⁹]+)))?"
_SCALE: Final = r"(?:hundred|thousand|million|billion|trillion|dozen|lakh|crore|mn|bn|tn)s?(?!\w)"
_SYMBOL: Final = (
    r"(?:[kMGTPE]i?[Bb](?:it|yte)?s?|[kMG]?bps|bytes?|bits?|[pnµμmcdhkMGTP]?(?:m|g|s|L|l|V|W|J|N|Pa|Hz|Wh"
    r"|mol|eV|Ω|Bq|Sv)"
    r"|[mµk]?A|h|hr|hrs|min|mins|sec|secs|mph|kph|ft|lbs?|oz|yd|mi|nm|ha|acres?|bar|psi|atm|k?cal|pp[mb]"
    r"|px|pt|r?em|dpi|fps|rpm"
    r"|dB|K"
    r"|°[CF]?|[′″]|º|[%‰％]|USD|EUR|GBP|JPY|CHF|INR|CNY|AUD|CAD|[€£¥₹₩$])"
)
_NAMED: Final = (
    r"(?:percent|per[ ]cent|percentage[ ]points?|(?:square|cubic)[ ]\w{1,24}|degrees?(?:[ ](?:Celsius"
    r"|Fahrenheit))?|dollars?"
    r"|euros?|pounds?|cents?|yen|rupees?|(?:kilo|centi|milli|micro|nano)?(?:met(?:re|er)|gram|second|lit(?:re|er))s?"
    r"|(?:kilo|mega|giga|tera)?bytes?|(?:kilo|mega|giga)?(?:watt|hertz|joule|volt)s?|miles?|feet|foot"
    r"|inch(?:es)?|yards?|tons?"
    r"|tonnes?|ounces?|gallons?|hectares?|minutes?|hours?|days?|weeks?|months?|years?|decades?|tokens?|times)(?!\w)"
)
_UNIT: Final = (
    rf"(?:{_SYMBOL}(?:[²³]|\^[23])?(?:[/·⋅*]\w{{1,8}}(?:[²³]|\^-?\d)?)*(?!\w)|{_NAMED}(?:/\w{{1,8}}(?!\w))?)"
    rf"(?:{GAP}(?:per|a|an){GAP}(?:second|minute|hour|day|week|month|year|person|capita)(?!\w))?"
)
_CJK_UNIT: Final = (
    r"[万億亿兆千百十円元年月日時时分秒人個个件回度歳岁倍階层号號名米克倍台冊册本枚公里]{1,4}"
    r"|[万만억조]?[원명개년월일시분초]"
)
_NUMBER: Final = re.compile(
    rf"""(?:
      \d{{1,2}}(?:'|′|{GAP}?ft\.?{GAP})\d{{1,2}}(?:"|″|''|{GAP}?in\b\.?)
    | {_AMOUNT}{_POWER}
      (?:(?:{GAP}?(?:--|[-–—~±/:×]|\.\.\.?){GAP}?|{GAP}(?:to|x){GAP})[-−]?[$€£¥]?{_AMOUNT}{_POWER})*+
      (?:(?:st|nd|rd|th)(?!\w)|-?(?:rc|alpha|beta|dev|post)[.\d]*(?!\w)|(?:{_CJK_UNIT})|\.[x*](?!\w)|\+(?!\w)
        |[ \u00a0]?[½¼¾⅓⅔⅛])?
      (?:(?:{GAP}|-)?{_SCALE}|[kKmMbBx](?!\w))?
      (?:(?:{GAP}|-)?{_UNIT}|[A-Za-zµ]{{1,4}}(?!\w))?
    )""",
    re.VERBOSE,
)
_PREFIX: Final = re.compile(
    r"(?:(?<![\w<>=!~^+-])(?:[<>=!~^]=|[<>≥≤≈~∼±=^]|\+/-)[ \u00a0]?|(?<![\w.,)\]-]))"
    r"(?:(?:US|C|A|HK)?[$€£¥₹₩]|(?:USD|EUR|GBP)[ ])?[-−+–]?[$€£¥₹₩]?[ \u00a0]?[vV]?\.?\Z"
)
"""Comparison, sign, currency, and the v of a version."""
_UNSPACED: Final = "\u0600"
"""Letters from here on are of scripts that join digits to words, or write no blanks."""
_SIGNS: Final = frozenset("<>=≥≤≈~∼±^$€£¥₹₩-−+–DRP")
_BARE: Final = re.compile(r"(\d+(?:,\d{3})*+)(?:(?=[;)\]\"]|,(?!\d)|\.(?:\s|\Z))|[ ]([a-z]{2,24})(?![\w/]))")
"""A number that nothing goes on with, or a word that may be its unit."""
_MORE: Final = frozenset({"to", "of", "am", "pm", "per", "square", "cubic", "percentage", "ft"})
_A_YEAR: Final = re.compile(_YEAR)

_CITATION, _IDENTIFIER, _DATED = PinType.CITATION, PinType.IDENTIFIER, PinType.DATE
_REFERENCES: Final = (
    "§ §§ ¶ art arts article articles chapter chapters ch chap section sections sec secs figure figures"
    " fig figs table tables"
    " eq eqs equation equations appendix annex clause clauses paragraph paragraphs para paras page pages"
    " p pp vol volume"
    " theorem lemma corollary listing algorithm footnote fn rfc rfcs iso ieee din pep nist fips bs en iec"
)
_CODES: Final = "http isbn isbn-10 isbn-13 issn error errno code status port issue ticket bug pr"
_MONTHS: Final = (
    "jan january feb february mar march apr april may jun june jul july aug august sep sept september oct"
    " october nov november"
    " dec december"
)
_LEADS: Final[dict[str, PinType]] = {
    **dict.fromkeys(_REFERENCES.split(), _CITATION),
    **dict.fromkeys(_CODES.split(), _IDENTIFIER),
    **dict.fromkeys(_MONTHS.split(), _DATED),
}
"""Words that make one fact with the number behind them."""
_AFTER_LEAD: Final = {
    _CITATION: re.compile(
        r"\d[\d-]*(?:[.:–]\d+)*[a-z]?(?!\w)(?:\(\w{1,4}\))*"
        r"(?:(?:,?[ ](?:and|or|to|&)[ ]|,[ ]?|–)\d+(?:\.\d+)*[a-z]?(?!\w)(?:\(\w{1,4}\))*){0,8}"
    ),
    _IDENTIFIER: re.compile(r"\d(?:[\d-]*\d)?(?:-?X(?!\w))?(?:\.\d+)*(?!\w)|97[89](?:[- ]?\d){9}[- ]?[\dX]"),
    _DATED: _AFTER_MONTH,
}
_LONGEST_LEAD: Final = 16
_LONGEST_PREFIX: Final = 8
_ISBN: Final = re.compile(r"ISBN(?:-1[03])?:?\s?((?:97[89][- ]?)?(?:\d[- ]?){9}[\dX])(?!\w)")

_DIGIT: Final = re.compile(r"\d++")
_GAP_ONLY: Final = re.compile(rf"[.:#]?{GAP}?")


def quantities(text: str, taken: Sequence[Fact]) -> Iterator[Fact]:
    """Numbers, dates and numbered references, in order, outside of `taken`."""
    position = 0
    for at, floor, limit in _outside(text, map(_start, _DIGIT.finditer(text)), taken):
        position = max(position, floor)
        if at < position:
            continue
        fact = _led(text, at, position, limit) or _plain(text, at, position, limit)
        if fact:
            yield fact
            position = fact[1]


def _outside(text: str, hits: Iterable[int], taken: Sequence[Fact]) -> Iterator[tuple[int, int, int]]:
    """The hits outside of `taken`, in order, each with the bounds of the room between the taken around it."""
    following = floor = 0
    for at in hits:
        while following < len(taken) and taken[following][1] <= at:
            floor = taken[following][1]
            following += 1
        limit = taken[following][0] if following < len(taken) else len(text)
        if limit > at:
            yield at, floor, limit


def _start(match: re.Match[str]) -> int:
    return match.start()


def _led(text: str, at: int, position: int, limit: int) -> Fact | None:
    """The fact that a word before a digit leads."""
    before = text[max(position, at - _LONGEST_LEAD) : at]
    if before[-1:].isalpha():
        if before[-1] in "QHY" and (period := _PERIOD.match(text, at - (2 if before[-1] == "Y" else 1), limit)):
            return period.start(), period.end(), _DATED
        return None
    words = before.split()
    if not words:
        return None
    word = words[-1]
    core = word.strip("([{\"'“‘.:#*_")
    kind = _LEADS.get(core.casefold())
    if kind is None or (kind is _DATED and not core[0].isupper()):
        if word[-1] not in "§¶":
            return None
        core, kind = word[-1], _CITATION
    start = at - len(before) + before.rindex(core)
    if not _GAP_ONLY.fullmatch(text, start + len(core), at) or (start > position and text[start - 1].isalnum()):
        return None
    match = (_ISBN.match(text, start, limit) if core[0] in "iI" else None) or _AFTER_LEAD[kind].match(text, at, limit)
    return (start, match.end(), kind) if match else None


def _plain(text: str, at: int, position: int, limit: int) -> Fact | None:
    last = text[at - 1] if at > position else " "
    if last.isalpha() and last < _UNSPACED and last not in "vV":
        return None
    bare = _BARE.match(text, at, limit)
    if bare and not (bare[2] and takes(bare[2])):
        end, kind = bare.end(1), _DATED if _A_YEAR.fullmatch(bare[1]) else PinType.NUMBER
    else:
        number, date = _NUMBER.match(text, at, limit), _DATE.match(text, at, limit)
        if date and (number is None or date.end() >= number.end()):
            return at, date.end(), _DATED
        if number is None:
            return None
        end, kind = number.end(), PinType.NUMBER
    if last.isspace() and (at < position + 2 or text[at - 2] not in _SIGNS):
        return at, end, kind
    prefix = _PREFIX.search(text, max(position, at - _LONGEST_PREFIX), at)
    start = prefix.start() if prefix else at
    if start == at and last in "vV":
        return None
    return start, end, kind if start == at else PinType.NUMBER


@lru_cache(maxsize=4096)
def takes(word: str) -> bool:
    """Whether a number may go on with this word."""
    match = _NUMBER.match(f"1 {word}")
    return word in _MORE or (match is not None and match.end() > 1)


_ONES: Final = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    "|seventeen|eighteen"
    "|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|a|an|half|several|few|many"
)
_SCALE_WORD: Final = re2.compile(
    "[ \u00a0\n-](?:percent|per cent|hundred|thousand|million|billion|trillion|dozen|lakh|crore)"
)
_WORDED: Final = re.compile(
    rf"\b(?:{_ONES})(?:(?:{GAP}|-)(?:and{GAP})?(?:{_ONES}|{_SCALE})){{0,8}}+(?:(?:{GAP}|-){_UNIT})?(?!\w)",
    re.IGNORECASE,
)
_WORDED_REACH: Final = 64


def worded(text: str, taken: Sequence[Fact]) -> Iterator[Fact]:
    """Numbers in words that have a scale or a percentage: `twenty-five percent`, `three million`."""
    position = 0
    for at, floor, limit in _outside(text, map(_start, _SCALE_WORD.finditer(readable(text))), taken):
        position = max(position, floor)
        if at < position:
            continue
        for match in _WORDED.finditer(text, max(position, at - _WORDED_REACH), min(limit, at + _WORDED_REACH)):
            if match.start() < at < match.end():
                yield match.start(), match.end(), PinType.NUMBER
                position = match.end()
                break
