"""Ties units together so that no choice among them maims a pin."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from services.compressor.pins.pin import NO_PINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.compressor.pins.pin import Pin
    from services.compressor.units.unit import Unit


class Lead(NamedTuple):
    """A heading or lead-in that negates what stands under it: "Not supported:"."""

    start: int
    end: int
    items_end: int
    """All from `end` to here stands under it."""


def bind(units: Sequence[Unit], pins: Iterable[Pin], leads: Iterable[Lead] = ()) -> list[Unit]:
    """The units with the needs and the counts that pins and leads put on them; needs they had stay.

    All units that a pin touches need each other: each needs its neighbour on either side, which closes over all. A unit
    under a lead needs the innermost one. A pin counts for the first unit that it touches.

    Args:
        units: of one passage.
        pins: by their beginning.
        leads: by their beginning; one nests in another, or they are disjoint.
    """
    starts = [unit.start for unit in units]
    ends = [unit.end for unit in units]
    counts: dict[int, list[int]] = {}
    tied = [0] * (len(units) + 1)
    """How much more pins tie a unit to the next one than its predecessor to it."""
    for pin in pins:
        first, behind = bisect_right(ends, pin.start), bisect_left(starts, pin.end)
        if first < behind:
            counts.setdefault(first, list(NO_PINS))[pin.type - 1] += 1
            tied[first] += 1
            tied[behind - 1] -= 1
    above: dict[int, int] = {}
    for lead in leads:
        first, behind = bisect_right(ends, lead.start), bisect_left(starts, lead.end)
        if first < behind:
            tied[first] += 1
            tied[behind - 1] -= 1
            # Outer leads come first: the innermost overwrites. Time grows with the depth of the nesting.
            above.update(dict.fromkeys(range(behind, bisect_left(starts, lead.items_end)), behind - 1))
    bound: list[Unit] = []
    depth = 0
    for index, unit in enumerate(units):
        needs = set(unit.needs)
        if depth:
            needs.add(index - 1)
        depth += tied[index]
        if depth:
            needs.add(index + 1)
        if index in above:
            needs.add(above[index])
        found = counts.get(index)
        if found or len(needs) > len(unit.needs):
            total = tuple(map(sum, zip(unit.pins, found, strict=True))) if found else unit.pins
            unit = replace(unit, needs=tuple(sorted(needs)), pins=total)  # noqa: PLW2901
        bound.append(unit)
    return bound
