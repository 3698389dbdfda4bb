"""From chosen units to what is kept, counted as it will stand in the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.compressor.prepared import COUNTED_ENCODINGS, Column
from services.compressor.rendering import Layout, parts_of, spans_of
from services.compressor.seams import seams_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.compressor.passage import CompressInput, Span
    from services.compressor.sizing import Size


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a passage."""

    spans: tuple[Span, ...]
    text: str
    """As the prompt shows it."""
    token_count: int
    """Of `text` and the line end."""
    units: tuple[int, ...] | None = None
    """Indexes of the kept units, in order; None: the passage is whole, its units were not looked at."""


class Room:
    """Tokens that are left of the budget and of its sections."""

    def __init__(self, request: CompressInput, budget: int) -> None:
        self._sections = [passage.section for passage in request.passages]
        self._left = budget
        self._left_of = [budget if section.max_tokens is None else section.max_tokens for section in request.sections]

    def take(self, index: int, tokens: int) -> None:
        """Pays for a passage; below 0 gives back."""
        self._left -= tokens
        self._left_of[self._sections[index]] -= tokens

    def left(self, index: int) -> int:
        """What a passage may still take; below 0 where too much was taken."""
        return min(self._left, self._left_of[self._sections[index]])


def settle(
    request: CompressInput,
    sizes: Sequence[Size],
    layouts: Mapping[int, Layout],
    chosen: Sequence[tuple[int, Sequence[int]]],
    budget: int,
) -> dict[int, Kept]:
    """What is kept by passage.

    The chooser adds up stored counts, which may be off by a token where byte pairs melt across a cut. Here counts are
    exact, from the real text where need be, and the least valuable units go until it fits.

    Args:
        request: the passages.
        sizes: one for each passage.
        layouts: the passages' units, by passage index.
        chosen: passage index and units that stand and fall together, the most valuable first.
        budget: tokens for all.
    """
    units: dict[int, set[int]] = {}
    for index, group in chosen:
        units.setdefault(index, set()).update(group)
    kept = {index: _keep(request, sizes[index], index, layouts[index], parts) for index, parts in units.items()}
    room = Room(request, budget)
    for index, part in kept.items():
        room.take(index, sizes[index].header + part.token_count)
    for index, group in reversed(chosen):
        if room.left(index) >= 0:
            continue
        room.take(index, -sizes[index].header - kept.pop(index).token_count)
        units[index].difference_update(group)
        if units[index]:
            kept[index] = _keep(request, sizes[index], index, layouts[index], units[index])
            room.take(index, sizes[index].header + kept[index].token_count)
    return kept


def _keep(request: CompressInput, size: Size, index: int, layout: Layout, units: set[int]) -> Kept:
    text = request.passages[index].text
    order = sorted(units)
    spans = spans_of(layout, order)
    if spans == ((0, len(text)),):
        # Kept to the last character: its size is the count of that very text.
        return Kept(spans, text, size.text, tuple(order))
    parts = parts_of(text, layout, order, request.gap)
    shown = "".join(parts)
    if size.signals is None:
        count = request.encoding.count(f"{shown}\n")
    else:
        column = Column.TOKENS + COUNTED_ENCODINGS.index(request.encoding.name)
        count = seams_of(request.encoding).total(parts, size.signals.table[order, column].tolist())
    return Kept(spans, shown, count, tuple(order))
