"""Counts the pins that are kept, and those that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.compressor.pins.find import find_pins
from services.compressor.pins.patterns import compile_patterns
from services.compressor.pins.pin import NO_PINS, PinType
from services.compressor.prepared import pin_counts
from services.compressor.units.json_members import is_json, may_be_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.compressor.passage import CompressInput, Passage
    from services.compressor.pins.pin import PinCounts
    from services.compressor.settle import Kept
    from services.compressor.sizing import Size

Tally = tuple["PinCounts", "PinCounts"]
"""Pins of a passage that are kept, and that are not."""


def tally_pins(request: CompressInput, sizes: Sequence[Size], kept: Mapping[int, Kept]) -> list[Tally]:
    """One tally for each passage, in order.

    Args:
        request: what was asked.
        sizes: one for each passage.
        kept: what is kept, by passage index.
    """
    tallies = [
        (NO_PINS, NO_PINS) if size.signals else _read(passage, kept.get(index), request.pin_patterns)
        for index, (passage, size) in enumerate(zip(request.passages, sizes, strict=True))
    ]
    known = {index: size.signals for index, size in enumerate(sizes) if size.signals and size.signals.unit_count}
    if not known:
        return tallies
    # All passages at once: numpy's price is by the call.
    counts = pin_counts(np.concatenate([signals.table for signals in known.values()])).astype(np.int64)
    ends = np.cumsum([signals.unit_count for signals in known.values()])
    firsts = np.concatenate((ends[:1] * 0, ends[:-1]))
    stays = np.zeros(len(counts), np.bool_)
    for index, first, end in zip(known, firsts.tolist(), ends.tolist(), strict=True):
        part = kept.get(index)
        if part is None:
            continue
        if part.units is None:
            stays[first:end] = True
        else:
            stays[[first + unit for unit in part.units]] = True
    all_pins = np.add.reduceat(counts, firsts)
    kept_pins = np.add.reduceat(counts * stays[:, None], firsts)
    for index, stay, go in zip(known, kept_pins.tolist(), (all_pins - kept_pins).tolist(), strict=True):
        tallies[index] = (tuple(stay), tuple(go))
    return tallies


def _read(passage: Passage, part: Kept | None, patterns: tuple[str, ...]) -> Tally:
    """Of a passage of which nothing is known but its text."""
    # A declared JSON value among documents is read as its units are: it has no sentences.
    kind = "code" if may_be_json(passage.text) and is_json(passage.text) else passage.kind
    pins = find_pins(passage.text, kind) if passage.text.strip() else []
    if patterns:
        pins += compile_patterns(patterns).find(passage.text)
    spans = part.spans if part else ()
    kept, dropped = ([0] * len(PinType) for _ in range(2))
    for pin in pins:
        inside = any(start <= pin.start and pin.end <= end for start, end in spans)
        (kept if inside else dropped)[pin.type - 1] += 1
    return tuple(kept), tuple(dropped)
