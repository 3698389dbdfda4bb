"""From chosen units to verbatim spans, and what they really cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.compressor.passage import CompressInput, Span
    from services.compressor.sizing import Size


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a passage."""

    spans: tuple[Span, ...]
    token_count: int
    """Of the body: spans, gaps and line end."""


def merge_spans(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, as one where nothing but white space lies between them."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def render_body(text: str, spans: Iterable[Span], gap: str) -> str:
    """A kept passage below its title line."""
    return gap.join([text[start:end] for start, end in spans]) + "\n"


def settle(request: CompressInput, sizes: Sequence[Size], chosen: Sequence[tuple[int, Span]]) -> dict[int, Kept]:
    """What is kept by passage, counted as it will stand in the prompt.

    The chooser adds up stored counts, which may be off by a token where byte pairs melt across a cut. So the real text
    is counted here, and the least valuable unit goes until it fits. A passage that is kept to the last character is not
    counted twice: its size is the count of that very text.

    Args:
        request: the passages and the budget.
        sizes: one for each passage.
        chosen: passage index and unit, the most valuable first.
    """
    units: dict[int, list[Span]] = {}
    for index, unit in chosen:
        units.setdefault(index, []).append(unit)
    kept = dict(zip(units, _count(request, sizes, units), strict=True))
    total = sum(sizes[index].header + part.token_count for index, part in kept.items())
    for index, unit in reversed(chosen):
        if total <= request.max_tokens:
            break
        total -= sizes[index].header + kept.pop(index).token_count
        units[index].remove(unit)
        if units[index]:
            (kept[index],) = _count(request, sizes, {index: units[index]})
            total += sizes[index].header + kept[index].token_count
    return kept


def _count(request: CompressInput, sizes: Sequence[Size], units: dict[int, list[Span]]) -> list[Kept]:
    kept = []
    for index, parts in units.items():
        text = request.passages[index].text
        spans = merge_spans(text, parts)
        whole = spans == ((0, len(text)),)
        tokens = sizes[index].text if whole else request.encoding.count(render_body(text, spans, request.gap))
        kept.append(Kept(spans, tokens))
    return kept
