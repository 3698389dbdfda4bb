"""What a format's parser says about a text: sections, and in them the places where a cut is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Unit(Enum):
    """What may not be cut in two unless it is too long by itself."""

    PROSE = "sentences"
    LINES = "lines"
    """Code, tables, fences: whole if it fits, else line by line."""


class Mark(NamedTuple):
    """Where a block begins. It ends where the next one of its level or an outer one begins, or with its section."""

    position: int
    level: int
    """0 is the outermost. Blocks of a deeper level count only where the outer one is too long."""
    unit: Unit


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of text under one title path. Sections are in order; nothing but white space lies between them."""

    title_path: tuple[str, ...]
    start: int
    end: int
    marks: Sequence[Mark]
    """In order of position; with equal positions the outer one first."""
    unit: Unit = Unit.PROSE
    """What the section is where no mark says otherwise."""
    heading_only: bool = False
    """Nothing but a heading: it goes with the section after it."""


class Block(NamedTuple):
    """A stretch of text that is kept whole where that is possible."""

    start: int
    end: int
    unit: Unit
