"""Documents to units: sentences, items, rows of tables, lines of fenced code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from services.compressor.units.code import split_code
from services.compressor.units.json_members import split_json
from services.compressor.units.languages import FENCED
from services.compressor.units.lines import split_long
from services.compressor.units.nesting import nest
from services.compressor.units.prose import split_prose
from services.compressor.units.table import find_tables, split_table
from services.compressor.units.unit import Join, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FENCE: Final = re.compile(
    r"^[ \t]*+(?P<marks>`{3,}+(?=[^`\n]*+$)|~{3,}+)[ \t]*+(?P<info>[\w+#-]*)(?P<rest>[^\n]*)$", re.MULTILINE
)
_LINE: Final = re.compile(r"[^\r\n]*\S[^\r\n]*")


class Fence(NamedTuple):
    """A block of fenced code."""

    start: int
    body: int
    """Where the line behind its first one begins."""
    closer: int
    """Where its last line begins; the end of the text where it is missing."""
    end: int
    info: str
    """The first word behind the marks, in lower case."""


def find_fences(text: str) -> Iterator[Fence]:
    """Blocks of fenced code, in order; one without an end reaches to the end of the text."""
    if "```" not in text and "~~~" not in text:
        return
    opener: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        if opener is None:
            opener = line
        elif line["marks"].startswith(opener["marks"]) and not (line["info"] or line["rest"].strip()):
            yield _fence(opener, line.start(), line.end())
            opener = None
    if opener is not None:
        yield _fence(opener, len(text), len(text))


def _fence(opener: re.Match[str], closer: int, end: int) -> Fence:
    return Fence(opener.start(), min(opener.end() + 1, closer), closer, end, opener["info"].lower())


def split_markdown(text: str) -> list[Unit]:
    """The units of a document, or of the text of a turn."""
    units: list[Unit] = []
    position = 0
    for fence in find_fences(text):
        _add_text(units, text[position : fence.start], position)
        _add_fence(units, text, fence)
        position = fence.end
    _add_text(units, text[position:], position)
    return units


def _add_text(units: list[Unit], text: str, offset: int) -> None:
    """Adds what stands between two fences."""
    position = 0
    for table in find_tables(text) if "|" in text else ():
        nest(units, split_prose(text[position : table.start]), offset + position)
        nest(units, split_table(table), offset)
        position = table.end
    rest = split_prose(text[position:])
    if units or offset + position:
        nest(units, rest, offset + position)
    else:
        units.extend(rest)


def _add_fence(units: list[Unit], text: str, fence: Fence) -> None:
    opener = len(units)
    units.append(_line(text, fence.start, fence.body))
    nest(units, _split_fenced(text[fence.body : fence.closer], fence.info), fence.body, opener)
    if fence.closer < len(text):
        units[opener] = _line(text, fence.start, fence.body, len(units))
        units.append(_line(text, fence.closer, fence.end, opener))


def _line(text: str, start: int, end: int, *needs: int) -> Unit:
    return Unit(start, start + len(text[start:end].rstrip()), Join.LINE, frame=True, needs=needs)


def _split_fenced(code: str, info: str) -> Sequence[Unit]:
    units: Sequence[Unit] | None = None
    if languages := FENCED.get(info):
        units = split_code(code, languages)
    elif info in {"", "json", "jsonl", "ndjson"}:
        units = split_json(code)
    if units is not None:
        return units
    lines = (span for line in _LINE.finditer(code) for span in split_long(code, *line.span()))
    return [Unit(start, end, Join.LINE) for start, end in lines]
