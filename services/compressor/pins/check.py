"""Finds the pins that a cut maims, on the text itself."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from services.compressor.pins.find import find_facts
from services.compressor.pins.negations import negations
from services.compressor.pins.patterns import compile_patterns
from services.compressor.pins.pin import Pin, PinType
from services.text.memo import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from services.compressor.pins.references import Fact

Span = tuple[int, int]
_Found = TypeVar("_Found")

_BLANK_LINE: Final = "\n\n"
"""No pin but a negation or a pattern's holds one."""
_REACH: Final = 80
"""Characters, at most, from white space inside a number, a date or a reference to what makes it one."""
_MAKER: Final = re.compile(
    r"\d|\sv\.\s|[ \u00a0\n-](?:per ?cent|hundred|thousand|million|billion|trillion|dozen|lakh|crore)"
)
_SENTENCE_END: Final = re.compile(r"(?:[^\W\d_]{3}|[\d\"”’)\]])[.!?:;]['\"”’)\]]{0,2}\Z")  # noqa: RUF001
_BEGINNERS: Final = frozenset('"“‘«(')  # noqa: RUF001
"""Where such an end, not that of `a.m.`, meets a letter or one of these, no fact stands but in brackets and code."""
_LONGEST_END: Final = 6
_BRACKETED_REACH: Final = 320
"""Characters, at most, of a code span or a citation in brackets."""
_KNOWN: Final = 1 << 13
_LONGEST_KNOWN: Final = 2_048
"""Characters of a text whose pins are remembered. A corpus has the same passages for many questions."""


def _remembered(search: Callable[[str], Iterable[_Found]]) -> Remembered[tuple[_Found, ...]]:
    return Remembered(lambda text: tuple(search(text)), _KNOWN, longest=_LONGEST_KNOWN)


_FACTS: Final = _remembered(find_facts)
"""Of paragraphs."""
_NEGATIONS: Final = {kind: _remembered(partial(negations, kind=kind)) for kind in ("docs", "history", "code")}
"""Of passages, by kind."""


def maimed_pins(
    text: str, spans: Sequence[tuple[int, int]], patterns: Sequence[str], kind: str = "docs"
) -> tuple[Pin, ...]:
    """Pins of `text` of which `spans` keep some characters and drop others, white space apart; by their beginning.

    The text is searched anew around the edges of the spans; nothing that was stored about it counts.

    Args:
        text: the passage.
        spans: what is kept: code points, in order, disjoint.
        patterns: RE2 patterns of further pins, as `compile_patterns` takes them.
        kind: as `find_pins` takes it.

    Raises:
        PatternError: a pattern is no good one.
    """
    dropped = _dropped(text, spans)
    if not dropped or not spans:
        return ()
    found = [fact for start, end in _around(text, dropped) for fact in _facts(text, start, end)]
    found.extend((start, end, PinType.NEGATION) for start, end in _NEGATIONS[kind](text))
    if patterns:
        found.extend((pin.start, pin.end, pin.type) for pin in compile_patterns(tuple(patterns)).find(text))
    cut = _Cut(text, spans, dropped)
    maimed = [Pin(*fact) for fact in found if cut.maims(fact[0], fact[1])]
    return tuple(sorted(maimed, key=lambda pin: (pin.start, pin.end)))


def _dropped(text: str, spans: Sequence[Span]) -> list[Span]:
    """The gaps that hold more than white space, without their outer white space."""
    gaps = []
    position = 0
    for start, end in (*spans, (len(text), len(text))):
        gap = text[position:start]
        content = gap.strip()
        if content:
            first = position + len(gap) - len(gap.lstrip())
            gaps.append((first, first + len(content)))
        position = end
    return gaps


def _around(text: str, dropped: Sequence[Span]) -> Iterator[Span]:
    """The paragraphs in which a fact may stand across an edge: in order, disjoint."""
    behind = 0
    for gap in dropped:
        for edge in gap:
            before, after = edge, edge
            while before > 0 and text[before - 1].isspace():
                before -= 1
            while after < len(text) and text[after].isspace():
                after += 1
            if before < behind or before == 0 or after == len(text) or not _may_cross(text, before, after):
                continue
            start = max(behind, text.rfind(_BLANK_LINE, behind, before))
            behind = text.find(_BLANK_LINE, before)
            behind = len(text) if behind < 0 else behind
            yield start, behind


def _may_cross(text: str, before: int, after: int) -> bool:
    """Whether a fact may have characters on both sides of the white space between; false only where none can."""
    if before == after:
        return True
    if _BLANK_LINE in text[before:after]:
        return False
    inside = text[max(0, before - _BRACKETED_REACH) : before]
    if "`" in inside or inside.rfind("(") > inside.rfind(")") or inside.rfind("[") > inside.rfind("]"):
        return True
    if (text[after].isalpha() or text[after] in _BEGINNERS) and _SENTENCE_END.search(inside[-_LONGEST_END:]):
        return False
    return bool(_MAKER.search(text, max(0, before - _REACH), after + _REACH))


def _facts(text: str, start: int, end: int) -> Iterator[Fact]:
    for first, last, kind in _FACTS(text[start:end]):
        yield start + first, start + last, kind


class _Cut:
    """What is kept of a text and what is dropped."""

    def __init__(self, text: str, kept: Sequence[Span], dropped: Sequence[Span]) -> None:
        self._text = text
        self._sides = tuple(([start for start, _ in side], [end for _, end in side]) for side in (dropped, kept))

    def maims(self, start: int, end: int) -> bool:
        """Whether a pin has characters on both sides."""
        return all(self._touches(start, end, starts, ends) for starts, ends in self._sides)

    def _touches(self, start: int, end: int, starts: Sequence[int], ends: Sequence[int]) -> bool:
        for index in range(bisect_right(ends, start), bisect_left(starts, end)):
            if not self._text[max(starts[index], start) : min(ends[index], end)].isspace():
                return True
        return False
