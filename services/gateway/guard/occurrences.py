"""Where values stand in a text."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.gateway.guard.policy import SensitiveType
from services.gateway.guard.sensitive import Sensitive


class Occurrence(NamedTuple):
    """A half-open range of a text, and the value that it holds or is a part of."""

    start: int
    end: int
    value: Sensitive


def occurrences(text: str, values: Iterable[Sensitive]) -> Iterator[Occurrence]:
    """All places of values in a text, overlapping ones too.

    A secret counts wherever it stands, another value only where it is not a part of a longer word: a person called Will
    does not hide in "Willing".
    """
    # Most values are in most texts not at all, and a comprehension says so fastest.
    for value in [value for value in values if value.text in text]:
        start = text.find(value.text)
        while start >= 0:
            end = start + len(value.text)
            if value.type is SensitiveType.SECRET or is_whole(text, start, end, value.type):
                yield Occurrence(start, end, value)
            start = text.find(value.text, start + 1)


def is_whole(text: str, start: int, end: int, kind: SensitiveType) -> bool:
    """Whether no word goes on over either end of a range.

    For names all letters make words; for the rest those of ASCII, since some scripts write no blanks around an address.
    """

    def joins(left: int) -> bool:
        if not 0 < left < len(text):
            return False
        return _in_word(text[left - 1], kind) and _in_word(text[left], kind)

    return not joins(start) and not joins(end)


def replace(text: str, found: Iterable[tuple[Occurrence, str]]) -> str:
    """The text with replacements for what was found; where two overlap, the longer one, then the first, is replaced."""
    chosen: list[tuple[Occurrence, str]] = []
    taken = bytearray(len(text))
    for occurrence, replacement in sorted(found, key=lambda pair: (pair[0].start - pair[0].end, pair[0].start)):
        if not any(taken[occurrence.start : occurrence.end]):
            taken[occurrence.start : occurrence.end] = b"\x01" * (occurrence.end - occurrence.start)
            chosen.append((occurrence, replacement))
    pieces, behind = [], 0
    for occurrence, replacement in sorted(chosen):
        pieces += [text[behind : occurrence.start], replacement]
        behind = occurrence.end
    return "".join([*pieces, text[behind:]])


def _in_word(character: str, kind: SensitiveType) -> bool:
    if kind is SensitiveType.PERSON:
        return character.isalpha()
    return character.isascii() and (character.isalnum() or character == "_")
