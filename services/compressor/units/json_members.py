"""JSON to units: members and elements, and the brackets around them.

What is left is JSON: an item keeps the brackets that it stands in, and an object in an array keeps what names it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from services.compressor.units.unit import Join, Unit

WHOLE: Final = 240
"""Characters up to which an object or an array is one unit."""
_SPACE: Final = " \t\r\n"
_DEEPEST: Final = 32
"""Levels that are opened."""
_NAMING: Final = frozenset({'"id"', '"key"', '"name"', '"title"'})
"""Keys of the member that tells an object from its neighbours."""

# Of valid JSON these are all tokens but colons, which nothing asks for.
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],]|[^ \t\r\n{}\[\],:"]++')


def split_json(text: str) -> list[Unit] | None:
    """The units of a text that is one object or array, or one a line; None where it is not."""
    return _Walk(text).units() if may_be_json(text) and is_json(text) else None


def may_be_json(text: str) -> bool:
    """Whether a text begins as an object or an array does."""
    return text.lstrip().startswith(("{", "["))


def is_json(text: str) -> bool:
    """Whether a text is one value of JSON, or several, one a line."""
    return _is_value(text) or all(_is_value(line) for line in text.split("\n") if line.strip(_SPACE))


def _is_value(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):  # the depth that can be read is bounded
        return False
    return True


@dataclass(slots=True)
class _Container:
    """An object or an array that is open at the current position."""

    opener: int
    """Index of its unit."""
    is_object: bool
    named: bool
    """No more naming members are looked for: it has one, or it is no object in an array."""


class _Walk:
    """Goes over the tokens of valid JSON, a member or an element after another."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [match.span() for match in _TOKEN.finditer(text)]
        self._closers: dict[int, int] = {}
        """Indexes of tokens: a bracket and the one that closes it."""
        waiting: list[int] = []
        for index, (start, _) in enumerate(self._tokens):
            if text[start] in "{[":
                waiting.append(index)
            elif text[start] in "}]":
                self._closers[waiting.pop()] = index
        self._has_lines = self._closers[0] < len(self._tokens) - 1
        """There is more than one value."""
        self._spans: list[tuple[int, int, Join]] = []
        self._needs: list[list[int]] = []
        self._open: list[_Container] = []

    def units(self) -> list[Unit]:
        position = 0
        while position < len(self._tokens):
            position = self._member(position)
            while position < len(self._tokens) and self._character(position) in "}],":
                if self._character(position) != ",":
                    opener = self._open.pop().opener
                    self._needs[opener].append(self._add(*self._tokens[position], Join.JSON_CLOSE, opener))
                position += 1
        return [
            Unit(start, end, join, join is not Join.JSON_ITEM, tuple(sorted(needs)))
            for (start, end, join), needs in zip(self._spans, self._needs, strict=True)
        ]

    def _member(self, position: int) -> int:
        """Adds what begins at a token; the index of the token behind it."""
        around = self._open[-1] if self._open else None
        above = () if around is None else (around.opener,)
        start = self._tokens[position][0]
        value = position + (around is not None and around.is_object)
        closer = self._closers.get(value, value)
        end = self._tokens[closer][1]
        if closer > value + 1 and end - start > WHOLE and len(self._open) < _DEEPEST:
            opener = self._add(start, self._tokens[value][1], Join.JSON_OPEN, *above)
            is_object = self._character(value) == "{"
            row = self._has_lines if around is None else not around.is_object
            self._open.append(_Container(opener, is_object, named=not (is_object and row)))
            return value + 1
        item = self._add(start, end, Join.JSON_ITEM, *above)
        if around is not None and not around.named and closer == value:
            around.named = self._text[slice(*self._tokens[position])] in _NAMING
            if around.named:
                self._needs[around.opener].append(item)
        return closer + 1

    def _character(self, token: int) -> str:
        return self._text[self._tokens[token][0]]

    def _add(self, start: int, end: int, join: Join, *needs: int) -> int:
        self._spans.append((start, end, join))
        self._needs.append(list(needs))
        return len(self._spans) - 1
