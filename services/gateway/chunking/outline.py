"""Blocks and headings to sections: what Markdown and HTML have in common."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from services.gateway.chunking.section import Mark, Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.gateway.chunking.section import Unit


class Heading(NamedTuple):
    """A heading that opens a section."""

    depth: int
    """1 to 6."""
    name: str
    """As `heading_text` gives it; may be empty."""


class OutlineBlock(NamedTuple):
    """A block as a parser meets it."""

    position: int
    level: int
    """0 is the outermost."""
    unit: Unit
    heading: Heading | None = None
    """Set for headings of level 0."""


def with_title(title: str, default: str, blocks: Iterator[OutlineBlock]) -> tuple[str, Iterator[OutlineBlock]]:
    """The title, or else the first heading, or else the default; and the same blocks."""
    seen: list[OutlineBlock] = []
    if title:
        return title, blocks
    for block in blocks:
        seen.append(block)
        if block.heading and block.heading.name:
            return block.heading.name, chain(seen, blocks)
    return default, iter(seen)


def sections(title: str, text: str, blocks: Iterable[OutlineBlock], start: int, end: int) -> Iterator[Section]:
    """A section for each heading, its title path that of the headings around it.

    A heading equal to the title is not repeated below it when it is the outermost.
    """
    headings: list[Heading] = []
    marks: list[Mark] = []
    heading_only = False
    for position, level, unit, heading in blocks:
        if heading is not None:
            if text[start:position].strip():
                yield Section(
                    (title, *(outer.name for outer in headings)), start, position, marks, heading_only=heading_only
                )
            while headings and headings[-1].depth >= heading.depth:
                headings.pop()
            if heading.name and (headings or heading.name != title):
                headings.append(heading)
            start, marks = position, []
        marks.append(Mark(position, level, unit))
        heading_only = heading is not None
    if text[start:end].strip():
        yield Section((title, *(outer.name for outer in headings)), start, end, marks, heading_only=heading_only)
