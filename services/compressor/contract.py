"""The check of what was kept, made on the text itself: no pin is maimed, what parsed parses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.pins.check import maimed_pins
from services.compressor.units.soundness import is_sound
from services.compressor.units.unit import kind_of_pins

if TYPE_CHECKING:
    from services.compressor.passage import CompressInput
    from services.compressor.pins.pin import Pin
    from services.compressor.rendering import Layout
    from services.compressor.settle import Kept


def breaches(request: CompressInput, index: int, layout: Layout, kept: Kept) -> tuple[Pin, ...] | None:
    """Pins that what is kept of a passage maims, none where it is unsound otherwise; None: the contract holds."""
    if kept.units is None or len(kept.units) == len(layout.starts):
        return None
    text = request.passages[index].text
    kind = kind_of_pins(request.passages[index].kind, layout.joins)
    maimed = maimed_pins(text, kept.spans, request.pin_patterns, kind)
    if maimed or not is_sound(kept.text, layout):
        return maimed
    return None
