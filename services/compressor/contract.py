"""The check of what was kept, made on the text itself: no pin is maimed, what parsed parses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.pins.check import maimed_pins
from services.compressor.units.soundness import is_sound
from services.compressor.units.unit import kind_of_pins

if TYPE_CHECKING:
    from services.compressor.passage import CompressInput
    from services.compressor.rendering import Layout
    from services.compressor.settle import Kept


def is_breached(request: CompressInput, index: int, layout: Layout, kept: Kept) -> bool:
    """Whether what is kept of a passage maims a pin, or no longer parses where all of it did."""
    if kept.units is None or len(kept.units) == len(layout.starts):
        return False
    passage = request.passages[index]
    kind = kind_of_pins(passage.kind, layout.joins)
    return bool(maimed_pins(passage.text, kept.spans, request.pin_patterns, kind)) or not is_sound(kept.text, layout)
