# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""Sentence bounds by rules: structure of lines first, then ends of sentences inside prose. Linear time.

Bounds decide what compression can keep or drop, so a wrong cut (after "Dr.") costs more than a missed one.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal

from services.text.wordlists import AMBIGUOUS, ATTACHED, NUMBERED, STARTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH = 400
"""Characters of a unit. One sentence in a hundred of an encyclopaedia is longer. 400 are about 100 tokens, which
fit the encoder's window with their neighbours, and which a small budget can still hold."""
_MIN_CUT = MAX_LENGTH // 4
"""A cut leaves at least this much on both sides."""

Span = tuple[int, int]

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?=\s)")
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣◦]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})\)|\d{1,3}\.)(?=\s)|[ \t]*[>|]")
_ENUMERATOR = 5
"""Characters of the longest enumerator of letters: "viii)"."""
_FENCES = ("`", "~")
_RULES = ("=", "-", "*", "_")
_RULE = re.compile(r"[ \t]*(?:=+|-{2,}|\*{3,}|_{3,})\s*\Z")
_INDENTED = re.compile(r" {4}| {0,3}\t")
_LINE_CLOSERS = (":", "{", "}", ";")
"""At a line's end they close the unit: the lead-in of a list, or code."""
_LONGEST_ENUMERATOR = 3
_LONGEST_ABBREVIATION = 4
"""Letters of an abbreviation that is on no list: before lower case, a longer word ends its sentence."""

# Runs are possessive and found at their first character only, or a long run would take quadratic time. The pattern
# begins with the characters that may end a sentence, so that the engine skips all others at once.
_END = re.compile(
    r"""
    [.!?…؟۔।॥։።。！？｡．]
    (?:
        (?<=[.!?…؟۔।॥։።]) (?<![.!?…؟۔।॥։።]{2}) (?P<more>[.!?…؟۔।॥։።]*+)
        (?P<close>(?:''|["'”’»›)\]*_])*+(?:\ (?:''|”))?) (?:\[\d{1,3}\])*+ (?=\s|\Z)
      | (?<=[。！？｡．]) (?<![。！？｡．]{2}) [。！？｡．]*+ (?P<inner>[」』”’）】》〉"']*+)
    )
    """,
    re.VERBOSE,
)
_NEXT = re.compile(r"\s*+[\"'“‘«‹(\[¿¡*_`]*+(\w{0,24})")
_APART = re.compile(r"[\s「『“‘（【《〈]")
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_ROMAN = re.compile(r"[IVXLC]+")
_CLAUSE = re.compile(r"[;:,)\]—–](?=\s)|[、，；：]")


def split_sentences(text: str) -> list[Span]:
    """Code point spans of the sentences: in order, disjoint, without outer white space, none over `MAX_LENGTH`.

    All that stands outside the spans is white space. Blank lines, headings, list items, table rows, quotes, fenced
    and indented code end a unit at the line's end; a single line break inside prose does not.
    """
    spans: list[Span] = []
    for start, end, prose in _blocks(text):
        for begin, stop in _sentences(text, start, end) if prose else ((start, end),):
            spans.extend(_bounded(text, begin, stop))
    return spans


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start, end, and whether the block is prose; other blocks are one unit each."""
    fence = ""
    open_at = -1
    start = 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        content = line.strip()
        fence_after = _fence_after(fence, line) if fence or content.startswith(_FENCES) else ""
        role = "alone" if fence or fence_after else _role(line, content, follows=open_at >= 0)
        fence = fence_after
        if role != "more" and open_at >= 0:
            yield open_at, start, True
            open_at = -1
        if role == "first":
            open_at = start
        elif role == "alone":
            yield start, end, False
        if open_at >= 0 and (content.endswith(_LINE_CLOSERS) or (content.endswith(_RULES) and _RULE.match(line))):
            yield open_at, end, True
            open_at = -1
        start = end
    if open_at >= 0:
        yield open_at, start, True


def _fence_after(fence: str, line: str) -> str:
    """The code fence in force after a line, "" for none; `fence` was before it."""
    opening = _FENCE.match(line)
    if not fence:
        return opening[1] if opening else ""
    closes = opening and opening[1].startswith(fence) and opening.end() == len(line.rstrip())
    return "" if closes else fence


def _role(line: str, content: str, *, follows: bool) -> Literal["blank", "alone", "first", "more"]:
    """What a line outside of fences is; `follows`: prose is open before it."""
    if not content:
        return "blank"
    if content.startswith("|") or (content.startswith("#") and _HEADING.match(line)):
        return "alone"
    # Most lines begin with a letter that no bracket follows soon: no item.
    if not (content[0].isalpha() and ")" not in content[1:_ENUMERATOR]) and _ITEM.match(line):
        return "first"
    if follows:
        return "more"
    return "alone" if _INDENTED.match(line) else "first"


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    begin = start
    for match in _END.finditer(text, start, end):
        if _is_end(text, begin, match, end):
            yield begin, match.end()
            begin = match.end()
    yield begin, end


def _is_end(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    if match["close"] is None:
        # 「はい。」と言った: a quotation inside a sentence, unless another one or white space follows.
        return not match["inner"] or match.end() >= end or bool(_APART.match(text, match.end()))
    following = _NEXT.match(text, match.end(), end)
    word = following[1] if following else ""
    lower = word[:1].islower()
    mark = text[match.start()]
    if match["more"] or mark != ".":
        # An ellipsis, and a question inside quotation marks, may stand in the middle of a sentence.
        return not (lower and (match["close"] or mark in ".…"))
    if match.end() >= end:
        return True
    before = text[max(begin, match.start() - 40) : match.start()].split()
    last = before[-1].lstrip("([{\"'“‘«*_`") if before else ""
    return _full_stop_ends(last, word, lower=lower, first=len(before) == 1)


def _full_stop_ends(last: str, word: str, *, lower: bool, first: bool) -> bool:
    """Whether a full stop between `last` and `word` ends a sentence; `first`: nothing stands before `last`."""
    key = last.casefold()
    if key in ATTACHED:
        return False
    if key in NUMBERED and (word[:1].isdigit() or (key != "no" and _ROMAN.fullmatch(word))):
        return False
    if first and len(last) <= _LONGEST_ENUMERATOR and (last.isdigit() or len(last) == 1):
        return False  # an enumerator: "1. First"
    initial = len(last) == 1 and last.isupper()
    if initial or key in AMBIGUOUS or _ACRONYM.fullmatch(last):
        return not lower and word.casefold() in STARTERS
    # Careless writing starts sentences in lower case, but a short word before a full stop is likelier an abbreviation.
    return not lower or (len(last) > _LONGEST_ABBREVIATION and last.isalpha())


def _bounded(text: str, start: int, end: int) -> Iterator[Span]:
    """The span without outer white space, cut at clauses, words or anywhere, in this order, when it is too long."""
    unit = text[start:end]
    end = start + len(unit.rstrip())
    start = min(start + len(unit) - len(unit.lstrip()), end)
    while end - start > MAX_LENGTH:
        cut = _cut(text, start, end)
        yield start, start + len(text[start:cut].rstrip())
        start = cut
        while text[start].isspace():
            start += 1
    if start < end:
        yield start, end


def _cut(text: str, start: int, end: int) -> int:
    low, high = start + _MIN_CUT, min(start + MAX_LENGTH, end - _MIN_CUT)
    cut = max((match.end() for match in _CLAUSE.finditer(text, low, high)), default=-1)
    if cut < 0:
        cut = max((index for index in range(low, high) if text[index].isspace()), default=-1)
    if cut < 0:
        cut = high
        # Never between a character and the marks that complete it.
        while cut > low and (unicodedata.category(text[cut])[0] == "M" or "\u200d" in text[cut - 1 : cut + 1]):
            cut -= 1
    return cut
