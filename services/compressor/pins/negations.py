# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""Negations and exceptions with the sentences they are about. English only."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import re2

from services.compressor.pins.bind import Lead
from services.compressor.pins.graphemes import whole
from services.compressor.pins.scalars import readable
from services.text.sentences import _blocks, _sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Span = tuple[int, int]
Block = tuple[int, int, bool]

_WORDS: Final = (
    "not|never|none|nor|neither|nothing|nobody|nowhere|no-one|cannot|without|unless|except(?:ing)?|exclud(?:e[ds]?|ing)"
    "|exclusive of|with the exception|apart from|other than|instead of|rather than"
    "|only (?:if|when|where|for|after|before)|hardly|barely|rarely|scarcely|seldom|fail(?:s|ed)? to|refuse[ds]? to"
    "|unable to|lack(?:s|ed)?"
    "|prohibit(?:s|ed)?|forbid(?:s|den)?|disallow(?:s|ed)?|unsupported|avoid(?:s|ed)?"
)
_NEGATION: Final = re2.compile(rf"(?i)\b(?:{_WORDS}|no|otherwise)\b|n['’]t\b")
_STANDS_IN: Final = frozenset("-_/")
"""Beside such a word these make another one of it: `no-op`, `is_not`."""
_NONE_FOLLOWS: Final = re.compile(r" (?:of|is|are|was|were|has|have|had|can|could|will|would|do|does|did|the)\b|\.")
"""Behind `None` where it is a word and not a value of Python."""
_NUMBER_FOLLOWS: Final = re.compile(r"\.?\s?\d")

_OPENING: Final = r"[\s\"'“‘«(\[*_>-]*+"
_HANGS_ON: Final = re.compile(
    rf"{_OPENING}(?:(?:But|And|Or|Just|Only) not|Nor|Otherwise|If not"
    r"|Not (?:if|when|where|for|on|in|at|with|by|to|after|before|until|unless|yet)|Neither (?:do|does|did"
    r"|is|are|was|were|has|have|had|can|could|will|would|should|must|may))(?![\w-])"
)
"""How a sentence begins that means nothing without the one before it."""
_FRAGMENT: Final = re.compile(
    rf"{_OPENING}(?:Unless|Except(?:ing)?|Excluding|Exclusive of|Other than|Apart from|With the exception"
    r"|Only (?:if|when|where|for|after|before))(?![\w-])"
)
"""How a sentence begins that means nothing without the one before it where no comma shows a main clause."""
_ANSWER: Final = re.compile(rf"{_OPENING}(?:No|Not|Never|None|Nothing|Nobody)(?:,? \w+){{0,2}}[.!]?\W*")
"""A sentence so short answers the one before it."""

_LEAD_WORDS: Final = re.compile(
    r"(?<!\w)(?:(?:un|not[ -])supported|limitations?|exceptions?|exclusions?|out[ ]of[ ]scope|deprecated"
    r"|removed|non-goals?"
    r"|don['’]?ts?|anti-?patterns?|avoid|prohibited|forbidden)(?!\w)",
    re.IGNORECASE,
)
_ITEM: Final = re.compile(r"[ \t]*(?:[-*+•‣◦]|\(?(?:\d{1,3}|[A-Za-z])[.)])[ \t]")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})\s")
_FENCES: Final = ("```", "~~~")


def negations(text: str, kind: str = "docs") -> Iterator[Span]:
    """Sentences that negate or except, in order; with the sentence before where they hang on it.

    A sentence is what `split_sentences` takes for one before it cuts the long ones.

    Args:
        text: the passage.
        kind: "docs"; "history", where every line is a paragraph; "code", which has no sentences: its statements and its
            members are kept as they are anyway.
    """
    hits = [] if kind == "code" else _hits(text)
    if not hits:
        return
    blocks = list(_lines(text) if kind == "history" else _blocks(text))
    starts = [block[0] for block in blocks]
    following = 0
    while following < len(hits):
        index = bisect_left(starts, hits[following] + 1) - 1
        previous: Span | None = None
        for begin, stop in _parts(text, blocks[index]):
            if following < len(hits) and hits[following] < stop:
                if previous is None and index and _hangs_on(text, begin, stop):
                    previous = _last_part(text, blocks[index - 1])
                first = previous[0] if previous and _hangs_on(text, begin, stop) else begin
                yield whole(text, first, stop)
                following = bisect_left(hits, stop, following)
            previous = (begin, stop)


def _lines(text: str) -> Iterator[Block]:
    start = 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            yield start, start + len(line), True
        start += len(line)


def _hits(text: str) -> list[int]:
    """Where negating words begin."""
    return [match.start() for match in _NEGATION.finditer(readable(text)) if _negates(text, *match.span())]


def _negates(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    if text[start:end].endswith(("t", "T")) and text[end - 2] in "'’":
        return not after.isalnum()
    if before.isalnum() or after.isalnum() or not _STANDS_IN.isdisjoint((before, after)):
        return False
    word = text[start:end]
    if word == "None":
        return bool(_NONE_FOLLOWS.match(text, end))
    return not (word.lower() == "no" and _NUMBER_FOLLOWS.match(text, end)) and (
        word.lower() != "otherwise" or word[0] == "O"
    )


def _parts(text: str, block: Block) -> Iterator[Span]:
    """The sentences of a block, without outer white space."""
    start, end, prose = block
    for begin, stop in _sentences(text, start, end) if prose else ((start, end),):
        part = text[begin:stop]
        stripped = part.strip()
        if stripped:
            begin += len(part) - len(part.lstrip())  # noqa: PLW2901
            yield begin, begin + len(stripped)


def _last_part(text: str, block: Block) -> Span | None:
    """The last sentence of a block; None where it has no words."""
    return next(reversed(list(_parts(text, block))), None)


def _hangs_on(text: str, start: int, end: int) -> bool:
    """Whether a sentence is only the exception to the one before it, or the answer."""
    if _HANGS_ON.match(text, start, end) or _ANSWER.fullmatch(text, start, end):
        return True
    return bool(_FRAGMENT.match(text, start, end)) and "," not in text[start:end]


def negating_leads(text: str) -> list[Lead]:
    """Headings and lead-ins that negate what stands under them, by their beginning.

    Each item under one needs it: "Not supported:" with a list or fenced lines, "## Limitations" with all to the next
    heading of its level or above. A lead is no pin: it may stand without its items.
    """
    if "#" not in text and ":" not in text:
        return []
    blocks = list(_blocks(text))
    leads = []
    for index, block in enumerate(blocks):
        start, end, _ = block
        heading = _HEADING.match(text, start, end)
        if not heading and not text[start:end].rstrip().endswith((":", ":**", ":*", "：")):
            continue
        if not heading and text[end : end + 1] == "":
            continue
        lead = (start, start + len(text[start:end].rstrip())) if heading else _last_part(text, block)
        if lead is None:
            continue
        begin, stop = lead
        if not (_LEAD_WORDS.search(text, begin, stop) or _hits(text[begin:stop])):
            continue
        items_end = (
            _under_heading(text, blocks, index, len(heading[1])) if heading else _under_lead(text, blocks, index)
        )
        if items_end > end:
            leads.append(Lead(begin, stop, items_end))
    return leads


def _under_heading(text: str, blocks: Sequence[Block], index: int, level: int) -> int:
    end = blocks[index][1]
    for start, stop, _ in blocks[index + 1 :]:
        heading = _HEADING.match(text, start, stop)
        if heading and len(heading[1]) <= level:
            break
        end = stop
    return end


def _under_lead(text: str, blocks: Sequence[Block], index: int) -> int:
    """The end of the items, fenced lines and indented lines that follow a lead-in directly."""
    start, end, _ = blocks[index]
    own = _indent(text, start)
    nested = bool(_ITEM.match(text, start, end))
    fence = ""
    for position in range(index + 1, len(blocks)):
        start, stop, _ = blocks[position]
        content = text[start:stop].strip()
        indent = _indent(text, start)
        if fence:
            fence = "" if content == fence else fence
        elif content.startswith(_FENCES) and (indent > own or not nested):
            if (
                position > index + 1
                and not nested
                and indent <= own
                and not _ITEM.match(text, *blocks[position - 1][:2])
            ):
                break
            fence = content[: len(content) - len(content.lstrip(content[0]))]
        elif not (indent > own or (not nested and indent == own and _ITEM.match(text, start, stop))):
            break
        end = stop
    return end


def _indent(text: str, start: int) -> int:
    at = start
    while text[at : at + 1] in {" ", "\t"}:
        at += 1
    return at - start
