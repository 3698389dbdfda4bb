"""Pins that a request adds to what is known of a passage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from services.compressor.pins.bind import bind
from services.compressor.pins.patterns import compile_patterns
from services.compressor.prepared import Column, pin_counts, put_pins
from services.compressor.units.unit import Unit

if TYPE_CHECKING:
    from services.compressor.prepared import PassageSignals


def add_pattern_pins(signals: PassageSignals, text: str, patterns: tuple[str, ...]) -> PassageSignals:
    """The signals of a passage, its units tied by what `patterns` match in its text, and the matches counted."""
    found = compile_patterns(patterns).find(text) if patterns and signals.unit_count else ()
    if not found:
        return signals
    ends = np.cumsum(signals.table[:, Column.NEED_COUNT]).tolist()
    needs = np.split(signals.needs, ends[:-1])
    rows = zip(
        signals.table[:, Column.START].tolist(),
        signals.table[:, Column.END].tolist(),
        needs,
        pin_counts(signals.table).tolist(),
        strict=True,
    )
    units = bind([Unit(start, end, needs=tuple(n.tolist()), pins=tuple(p)) for start, end, n, p in rows], found)
    table = signals.table.copy()
    table[:, Column.NEED_COUNT] = [len(unit.needs) for unit in units]
    put_pins(table, [unit.pins for unit in units])
    return replace(signals, table=table, needs=np.array([n for unit in units for n in unit.needs], np.uint32))
