"""Where values stand in a text."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.gateway.guard.policy import SensitiveType
from services.gateway.guard.sensitive import Sensitive
from services.gateway.guard.visible import Visible


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
    visible = Visible.of(text)
    shown = visible.text
    # Most values are in most texts not at all, and a comprehension says so fastest.
    for value in [value for value in values if value.text in shown]:
        start = shown.find(value.text)
        while start >= 0:
            end = start + len(value.text)
            if value.type is SensitiveType.SECRET or is_whole(shown, start, end, value.type):
                yield Occurrence(*visible.original_range(start, end), value)
            start = shown.find(value.text, start + 1)


def is_whole(text: str, start: int, end: int, kind: SensitiveType) -> bool:
    """Whether no word goes on over either end of a range.

    For names all letters make words; for the rest those of ASCII, since some scripts write no blanks around an address.
    """

    def joins(left: int) -> bool:
        if not 0 < left < len(text):
            return False
        return _in_word(text[left - 1], kind) and _in_word(text[left], kind)

    return not joins(start) and not joins(end)


def select(text: str, found: Iterable[Occurrence], taken: Iterable[tuple[int, int]]) -> list[Occurrence]:
    """Those that can be replaced together, in order: nothing that is taken, the longer of two that overlap."""
    held = bytearray(len(text))
    for start, end in taken:
        held[start:end] = b"\x01" * (end - start)
    chosen: list[Occurrence] = []
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        if not any(held[one.start : one.end]):
            held[one.start : one.end] = b"\x01" * (one.end - one.start)
            chosen.append(one)
    return sorted(chosen, key=lambda one: one.start)


def _in_word(character: str, kind: SensitiveType) -> bool:
    if kind is SensitiveType.PERSON:
        return character.isalpha()
    return character.isascii() and (character.isalnum() or character == "_")
