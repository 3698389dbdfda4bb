"""What compression keeps or drops as one, and what holds units together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from services.compressor.pins.pin import NO_PINS, PinCounts

if TYPE_CHECKING:
    from collections.abc import Iterable


class Join(IntEnum):
    """How a unit stands beside its neighbours, and what marks that some are missing. Part of the prepared format."""

    PROSE = 0
    """In a line with its neighbours; what is missing is marked by the request's gap, and only between kept units."""
    LINE = 1
    """Whole lines of anything: list items, headings, turns, fenced lines, code that does not parse. The gap stands
    alone in a line, and only between kept units."""
    ROW = 2
    """A row of a Markdown table. `| … |` marks the gap, between kept units."""
    PYTHON = 3
    """Whole lines of Python that parses. `...`, indented as what is missing, marks every gap: it is a statement."""
    BRACES = 4
    """Whole lines of a language with `//` comments that parses. `// ...` marks every gap."""
    JSON_ITEM = 5
    """A member or an element that is kept or dropped as a whole. Gaps in JSON have no mark: none would be JSON."""
    JSON_OPEN = 6
    """The beginning of an object or array with members of its own: `{`, or `"key": [`."""
    JSON_CLOSE = 7
    """The bracket that closes it."""


CODE_JOINS: Final = frozenset({Join.PYTHON, Join.BRACES})
"""Of code that parses."""
JSON_JOINS: Final = frozenset({Join.JSON_ITEM, Join.JSON_OPEN, Join.JSON_CLOSE})
_NO_SENTENCES: Final = CODE_JOINS | JSON_JOINS


def kind_of_pins(kind: str, joins: Iterable[int]) -> str:
    """The kind by which the pins of a passage are found: JSON among documents has no sentences either."""
    return "code" if _NO_SENTENCES.issuperset(joins) else kind


@dataclass(frozen=True, slots=True)
class Unit:
    """A span of a passage's text: code points [start, end).

    Units of a passage stand in order and are disjoint; only white space lies between two of them, between members of
    JSON a comma too.
    """

    start: int
    end: int
    join: Join = Join.PROSE
    frame: bool = False
    """Kept only where another unit needs it: a closing bracket, the rule of a table, the name of a speaker."""
    needs: tuple[int, ...] = ()
    """Indexes of the units of the passage that stand wherever this one stands: the signature around a statement, the
    head of a table, the other half of a number. Needs of needs count too."""
    pins: PinCounts = NO_PINS
    """How many pins of each type begin in it."""
