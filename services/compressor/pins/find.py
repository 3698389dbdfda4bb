"""Finds pins in a text. Linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.pins.graphemes import widen
from services.compressor.pins.identifiers import identifiers
from services.compressor.pins.negations import negations
from services.compressor.pins.pin import Pin, PinType
from services.compressor.pins.quantities import quantities, worded
from services.compressor.pins.references import citations, code_spans, urls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.compressor.pins.references import Fact


def find_pins(text: str, kind: str = "docs") -> list[Pin]:
    """The pins of a text of a kind ("docs", "history", "code"), by their beginning.

    Negations overlap with others, others do not overlap. Where several types fit, the first of code, URL, citation,
    identifier, date and number wins. No pin begins or ends inside of what a reader sees as one character.
    """
    found = [Pin(*fact) for fact in find_facts(text)]
    found.extend(Pin(start, end, PinType.NEGATION) for start, end in negations(text, kind))
    return sorted(found, key=lambda pin: (pin.start, pin.end))


def find_facts(text: str) -> list[Fact]:
    """All pins but negations. None holds a blank line, so that paragraphs may be searched one by one."""
    taken: list[Fact] = []
    for search in (code_spans, urls, citations, identifiers):
        taken = _merged(taken, search(text))
    for look in (quantities, worded):
        taken = sorted([*taken, *look(text, taken)])
    return taken if text.isascii() else widen(text, taken)


def _merged(taken: list[Fact], found: Iterable[Fact]) -> list[Fact]:
    """Both, by their beginning, without what overlaps with something taken or found before."""
    fresh = sorted(found)
    if not fresh:
        return taken
    merged = list(taken)
    following = 0
    behind = 0
    for fact in fresh:
        while following < len(taken) and taken[following][1] <= fact[0]:
            following += 1
        if fact[0] >= behind and (following == len(taken) or fact[1] <= taken[following][0]):
            merged.append(fact)
            behind = fact[1]
    return sorted(merged)
