"""Prose to units: sentences, and blocks of one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.compressor.units.unit import Join, Unit
from services.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN_LINE: Final = re.compile(
    r"""[#]{1,6}\s | [-*+•‣◦]\s | \(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})\)\s | \d{1,3}\.\s | [>|]""",
    re.VERBOSE,
)
"""How a heading, a list item, a quotation or a row begins."""
_INDENTED: Final = 4
"""Columns before a line of code."""


def split_prose(text: str) -> Iterator[Unit]:
    """The units of a text without tables that have a head, and without fenced code."""
    for start, end in split_sentences(text):
        line = start
        while line and text[line - 1] in " \t":
            line -= 1
        if (line and text[line - 1] != "\n") or not (_OWN_LINE.match(text, start) or _is_indented(text[line:start])):
            yield Unit(start, end)
        else:
            yield Unit(line, end, Join.ROW if text[start] == "|" else Join.LINE)


def _is_indented(space: str) -> bool:
    return len(space.expandtabs(_INDENTED)) >= _INDENTED
