# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""What stands between marks of its own: code spans, URLs, citations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.compressor.pins.pin import PinType

if TYPE_CHECKING:
    from collections.abc import Iterator

Fact = tuple[int, int, PinType]
"""Code points [start, end) of a text, and what they are."""

_LINE_END: Final = r"\r?\n(?![ \t\r]*\n)"
"""Inside of a fact; a blank line never stands there."""
_CODE: Final = re.compile(
    rf"(?:``(?!`)(?:[^`\r\n]++|{_LINE_END}|`(?!`))++``|`(?![`\s])(?:[^`\r\n]++|{_LINE_END})++`)(?!`)"
)
_LONGEST_CODE: Final = 300
_URL: Final = re.compile(
    r"""(?:[Hh][Tt][Tt][Pp][Ss]?|[Ff][Tt][Pp][Ss]?|wss?|s3|gs|git|ssh|file|grpcs?|redis|postgres(?:ql)?|jdbc:\w+)://[^\s<>"`{}|\\^]++
    |(?<![\w@./-])www\.[^\s<>"`{}|\\^]++|mailto:[^\s<>"`]++""",
    re.VERBOSE,
)
_URL_MARKS: Final = ("://", "www.", "mailto:")
_TRAILING: Final = ".,;:!?'\"*_~’”»。，、；：！？」』）】》…"
_BRACKETS: Final = {")": "(", "]": "["}

_NUMBERS: Final = r"\[\d{1,4}(?:[ ]?[,;–—-][ ]?\d{1,4}){0,40}(?:,[ ]?(?:pp?\.[ ]?)?[\w.–-]{1,12})?\]"
_BRACKETED: Final = re.compile(
    rf"{_NUMBERS}(?:[ ]?[–—-][ ]?{_NUMBERS}|,?[ ]?{_NUMBERS})*+(?!\()|\[\^[\w-]{{1,32}}\](?!:)"
    rf"|\[@[\w:.-]{{1,64}}(?:;[ ]?@[\w:.-]{{1,64}})*\]"
)
_INNER: Final = rf"(?:[^()\r\n]|{_LINE_END})"
_PARENTHESIS: Final = re.compile(rf"\({_INNER}{{3,240}}+\)")
_SOURCE: Final = re.compile(
    r"(?:(?:see|e\.g\.|cf\.|in|also|and)[,\s]\s?)*[^\W\d_a-z][\w'’-]{1,30}(?:[,\s&.]|[^\W\d_][\w'’-]*+){0,60}?"
    r",?\s(?:1[5-9]|20)\d\d[a-z]?(?:,\s(?:1[5-9]|20)\d\d[a-z]?)*(?:[,:]\s?(?:pp?\.\s?)?[\d–-]+)?"
)
_NAMED: Final = re.compile(
    r"(?:[Dd][Oo][Ii]:[ ]?)?10\.\d{4,9}/[^\s<>\"`]++"
    r"|[aA]r[xX]iv:[ ]?(?:\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]{1,24}(?:\.[A-Z]{2})?/\d{7})|PMID:[ ]?\d{4,9}"
)
_NAMED_MARKS: Final = ("10.", "rXiv:", "rxiv:", "PMID:")
_CASE_MARK: Final = " v. "
_PARTY: Final = r"[A-Z][\w'’&-]{0,30}"
_BEFORE_CASE: Final = re.compile(
    rf"(?<![\w.])(?:(?!(?:In|See|As|Under|By|From|Since|After|The) )(?:[A-Z]\.|{_PARTY}) ){{0,2}}{_PARTY}\.?\Z"
)
_AFTER_CASE: Final = re.compile(rf"{_PARTY}(?: {_PARTY}){{0,2}}")
_PARTY_REACH: Final = 96


def code_spans(text: str) -> Iterator[Fact]:
    """Spans between single or double backticks, which belong to them. ``Quotation marks'' of TeX are none."""
    at = text.find("`")
    while at >= 0:
        match = None if at and text[at - 1] in "`\\" else _CODE.match(text, at)
        if match and match.end() - at <= _LONGEST_CODE and _is_code(match[0]):
            yield at, match.end(), PinType.CODE
            at = text.find("`", match.end())
        else:
            at = text.find("`", at + 1)


def _is_code(span: str) -> bool:
    """Whether it is no pair of quotation marks of TeX, `so' or ``so''."""
    return "''" not in span and (span.startswith("``") or not span[-2].isspace())


def urls(text: str) -> Iterator[Fact]:
    """Without the punctuation of the sentence around them."""
    if not any(mark in text for mark in _URL_MARKS):
        return
    for match in _URL.finditer(text):
        end = _trimmed(text, match.start(), match.end())
        if end > match.start() + 8:
            yield match.start(), end, PinType.URL


def _trimmed(text: str, start: int, end: int) -> int:
    """The end without trailing punctuation and without brackets that close what was opened before."""
    surplus = {
        close: text.count(close, start, end) - text.count(open_, start, end) for close, open_ in _BRACKETS.items()
    }
    while end > start:
        last = text[end - 1]
        if last in _TRAILING:
            end -= 1
        elif surplus.get(last, 0) > 0:
            surplus[last] -= 1
            end -= 1
        else:
            break
    return end


def citations(text: str) -> Iterator[Fact]:
    """`[3]`, `(Smith et al., 2020)`, `doi:10.1000/1`. References like `§ 3.2` are found with the numbers."""
    if "[" in text:
        for match in _BRACKETED.finditer(text):
            yield match.start(), match.end(), PinType.CITATION
    for match in _PARENTHESIS.finditer(text):
        parts = match[0][1:-1].split(";")
        if any(_SOURCE.fullmatch(part.strip()) for part in parts):
            yield match.start(), match.end(), PinType.CITATION
    if any(mark in text for mark in _NAMED_MARKS):
        for match in _NAMED.finditer(text):
            yield match.start(), _trimmed(text, match.start(), match.end()), PinType.CITATION
    at = text.find(_CASE_MARK)
    while at >= 0:
        before = _BEFORE_CASE.search(text, max(0, at - _PARTY_REACH), at)
        after = _AFTER_CASE.match(text, at + len(_CASE_MARK))
        if before and after:
            yield before.start(), after.end(), PinType.CITATION
        at = text.find(_CASE_MARK, at + 1)
