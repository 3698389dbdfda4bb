"""A passage to units, each kind of text in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.pins.bind import bind
from services.compressor.pins.find import find_pins
from services.compressor.pins.negations import negating_leads
from services.compressor.units.code import split_code
from services.compressor.units.json_members import split_json
from services.compressor.units.lines import split_lines
from services.compressor.units.markdown import split_markdown
from services.compressor.units.turns import split_turns
from services.compressor.units.unit import Join, Unit, kind_of_pins

if TYPE_CHECKING:
    from collections.abc import Sequence


def split_units(text: str, kind: str) -> Sequence[Unit]:
    """The units of a passage.

    Args:
        text: the passage.
        kind: "docs" (sentences, items of lists, rows of tables, fenced code; members of JSON), "code" (statements;
            members of JSON), or "history" (turns).
    """
    units = _split(text, kind)
    read_as = kind_of_pins(kind, [unit.join for unit in units])
    return bind(units, find_pins(text, read_as), negating_leads(text) if read_as == "docs" else ())


def _split(text: str, kind: str) -> list[Unit]:
    if kind == "history":
        return split_turns(text)
    units = split_json(text)
    if units is not None:
        return units
    if kind == "docs":
        return split_markdown(text)
    units = split_code(text)
    if units is not None:
        return units
    return [Unit(start, end, Join.LINE) for start, end in split_lines(text)]
