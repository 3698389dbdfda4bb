"""Units of a part of a text as units of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.units.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable


def nest(units: list[Unit], inner: Iterable[Unit], offset: int, above: int | None = None) -> None:
    """Appends the units of a part.

    Args:
        units: those of the text before it.
        inner: those of the part, with places and indexes of its own.
        offset: where the part begins.
        above: a unit that all of them need.
    """
    base = len(units)
    outer = () if above is None else (above,)
    units.extend(
        Unit(
            unit.start + offset,
            unit.end + offset,
            unit.join,
            unit.frame,
            (*outer, *(need + base for need in unit.needs)),
        )
        for unit in inner
    )
