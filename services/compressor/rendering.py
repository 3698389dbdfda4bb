"""How what is kept of a passage stands in the prompt: verbatim, with a mark where something is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.compressor.units.unit import JSON_JOINS, Join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.compressor.passage import Span

_DEPTHS: Final[Mapping[int, int]] = {Join.JSON_OPEN: 1, Join.JSON_CLOSE: -1}
_MARKS: Final[Mapping[int, str]] = {Join.PYTHON: "...", Join.BRACES: "// ..."}
"""Marks of text that parses: they stand at the edges too, or a body without its statements would not parse."""
_ROW_MARK: Final = "| … |"


@dataclass(frozen=True, slots=True)
class Layout:
    """The units of a passage as rendering needs them: n of each, in order."""

    starts: Sequence[int]
    ends: Sequence[int]
    joins: Sequence[int]


def spans_of(layout: Layout, kept: Sequence[int]) -> tuple[Span, ...]:
    """The kept ranges: units in order, neighbours as one range with what lies between them.

    Args:
        layout: the passage's units.
        kept: indexes of the kept ones, in order.
    """
    spans: list[Span] = []
    last = -2
    for unit in kept:
        if unit == last + 1:
            spans[-1] = (spans[-1][0], layout.ends[unit])
        else:
            spans.append((layout.starts[unit], layout.ends[unit]))
        last = unit
    return tuple(spans)


def render(text: str, layout: Layout, kept: Sequence[int], gap: str) -> str:
    """What is kept of a passage, as the prompt shows it below the title line; "" where nothing is.

    Args: as `parts_of` takes them.
    """
    return "".join(parts_of(text, layout, kept, gap))


def parts_of(text: str, layout: Layout, kept: Sequence[int], gap: str) -> list[str]:
    """What `render` joins: the text of each kept unit, what stands before each, and what stands behind the last.

    Args:
        text: the passage.
        layout: its units.
        kept: indexes of the kept ones, in order; with a unit all that it needs.
        gap: marks what is missing of prose.
    """
    parts: list[str] = []
    last = -1
    depth = 0
    """Objects and arrays of JSON that are open."""
    for unit in kept:
        if unit == last + 1:
            between = text[layout.ends[last] : layout.starts[unit]] if last >= 0 else ""
        elif depth:
            between = _between_members(text, layout, last, unit)
        else:
            between = _between(text, layout, last, unit, gap)
        parts += (between, text[layout.starts[unit] : layout.ends[unit]])
        last = unit
        depth += _DEPTHS.get(layout.joins[unit], 0)
    mark = _MARKS.get(layout.joins[last + 1]) if kept and last + 1 < len(layout.starts) else None
    parts.append(f"\n{_indent(text, layout, last + 1)}{mark}" if mark else "")
    return parts


def usual_marks(gap: str) -> list[str]:
    """By `Join`, what mostly marks a gap of such units, for who reckons before anything is rendered."""
    return [gap if join is Join.PROSE else f"\n{_usual_line(join, gap)}\n" for join in Join]


def _usual_line(join: Join, gap: str) -> str:
    if mark := _MARKS.get(join):
        return f"    {mark}"
    return _ROW_MARK if join is Join.ROW else gap.strip()


def _between_members(text: str, layout: Layout, last: int, unit: int) -> str:
    """What stands between two kept units of one JSON value where others are missing: all but their text."""
    if layout.joins[last] == Join.JSON_OPEN:
        return text[layout.ends[last] : layout.starts[last + 1]]
    comma = "" if layout.joins[unit] == Join.JSON_CLOSE else ","
    return comma + text[layout.ends[unit - 1] : layout.starts[unit]].replace(",", "")


def _between(text: str, layout: Layout, last: int, unit: int, gap: str) -> str:
    """What stands between two kept units, or before the first (`last` is -1), where others are missing."""
    missing = layout.joins[last + 1]
    if mark := _MARKS.get(missing):
        mark = f"{_indent(text, layout, last + 1)}{mark}\n"
        return mark if last < 0 else f"\n{mark}"
    if last < 0:
        return ""
    if missing in JSON_JOINS and (layout.joins[last] in JSON_JOINS or layout.joins[unit] in JSON_JOINS):
        return "\n"
    if missing == Join.ROW:
        return f"\n{_ROW_MARK}\n"
    if _runs_on(text, layout, last, unit):
        return gap
    return f"\n{gap.strip()}\n" if gap.strip() else "\n"


def _runs_on(text: str, layout: Layout, last: int, unit: int) -> bool:
    """Whether two kept units stand in one line: all between them is prose, and so was what followed the first."""
    if any(join != Join.PROSE for join in layout.joins[last + 1 : unit + 1]):
        return False
    return layout.joins[last] == Join.PROSE or "\n" not in text[layout.ends[last] : layout.starts[last + 1]]


def _indent(text: str, layout: Layout, unit: int) -> str:
    """The white space that the unit's first line begins with; the unit, or the line, may begin behind it."""
    start = layout.starts[unit]
    line = text.rfind("\n", 0, start) + 1
    content = text[line : layout.ends[unit]]
    return content[: len(content) - len(content.lstrip(" \t"))]
