"""Which pins are kept, and which are not."""

from __future__ import annotations

from services.compressor.passage import CompressInput, Passage
from services.compressor.pins.pin import NO_PINS, PinType
from services.compressor.prepare import prepare
from services.compressor.settle import Kept
from services.compressor.sizing import Size
from services.compressor.tally import tally_pins
from services.compressor.units.unit import Unit
from services.text.tokens import encoding_for

ENCODING = encoding_for("cl100k_base")
TEXT = "one two six"


def numbers(count: int) -> tuple[int, ...]:
    return tuple(count if kind is PinType.NUMBER else 0 for kind in PinType)


def size(*pins: int) -> Size:
    units = [Unit(4 * index, 4 * index + 3, pins=numbers(count)) for index, count in enumerate(pins)]
    return Size(0, 5, prepare("", TEXT, units, None, [ENCODING]), raw=False)


def test_a_passage_has_the_pins_of_its_units() -> None:
    passages = tuple(Passage(str(index), "", TEXT, "docs") for index in range(5))
    request = CompressInput("", None, passages, 100, ENCODING, 0)
    sizes = [size(1, 2, 4), size(1, 1, 1), size(8, 0, 0), size(), size(0, 16, 0)]
    kept = {
        0: Kept(((0, 3), (8, 11)), "one six", 3, (0, 2)),
        2: Kept(((0, 11),), TEXT, 5),
        4: Kept(((4, 7),), "two", 2, (1,)),
    }
    assert tally_pins(request, sizes, kept) == [
        (numbers(5), numbers(2)),
        (NO_PINS, numbers(3)),
        (numbers(8), NO_PINS),
        (NO_PINS, NO_PINS),
        (numbers(16), NO_PINS),
    ]
