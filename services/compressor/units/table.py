"""Tables of Markdown to units: rows, each with the head of its table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from services.compressor.units.unit import Join, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

_RULE: Final = re.compile(
    r"^[ \t]*+(?=[^|\n]*+\|)\|?+(?:[ \t]*+:?+-++:?+[ \t]*+(?:\||(?=[\r\n])|\Z))++[ \t]*+\r?$", re.MULTILINE
)
_LINE: Final = re.compile(r"[^\n]*")


class Table(NamedTuple):
    """The place of a table, and its lines: header, rule, rows."""

    start: int
    end: int
    lines: tuple[tuple[int, int], ...]


def find_tables(text: str) -> Iterator[Table]:
    """The tables that have a header and a row, in order."""
    behind = 0
    for rule in _RULE.finditer(text):
        first = text.rfind("\n", behind, max(behind, rule.start() - 1)) + 1 or behind
        header = _stripped(text, first, rule.start())
        if rule.start() <= behind or header is None:
            continue
        rows = list(_rows(text, rule.end() + 1))
        if rows:
            place = _stripped(text, rule.start(), rule.end())
            assert place is not None
            behind = rows[-1][1]
            yield Table(first, behind, (header, place, *rows))


def split_table(table: Table) -> Iterator[Unit]:
    """Places are those of the text that the table stands in; indexes begin at its header."""
    for index, (start, end) in enumerate(table.lines):
        yield Unit(start, end, Join.ROW, index < 2, (1 - index,) if index < 2 else (0,))  # noqa: PLR2004


def _rows(text: str, position: int) -> Iterator[tuple[int, int]]:
    while position < len(text):
        line = _LINE.match(text, position)
        row = line and _stripped(text, position, line.end())
        if not line or not row:
            return
        yield row
        position = line.end() + 1


def _stripped(text: str, start: int, end: int) -> tuple[int, int] | None:
    """A line without the white space around it; None where it is no row."""
    line = text[start:end]
    if "|" not in line:
        return None
    return start + len(line) - len(line.lstrip()), start + len(line.rstrip())
