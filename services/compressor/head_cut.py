"""The plain cut: what stands in when scoring fails. Reads nothing but the words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.outcome import conclude
from services.compressor.passage import Reason
from services.compressor.prepare import title_line
from services.compressor.rendering import Kept, render_body
from services.compressor.sizing import Size
from services.compressor.units import split_units

if TYPE_CHECKING:
    from services.compressor.passage import CompressInput, CompressOutput, Passage


def head_cut(request: CompressInput) -> CompressOutput:
    """Whole passages in the order of their retrieval scores; the first that does not fit is cut behind a unit.

    The guarantees are those of `compress`. No passage counts as prepared, because prepared bytes are not read.
    """
    sizes = [_measure(passage, request) for passage in request.passages]
    order = sorted(range(len(sizes)), key=lambda index: -request.passages[index].score)
    kept: dict[int, Kept] = {}
    left = request.max_tokens
    for index in order:
        size = sizes[index]
        if not size.text:
            continue
        if size.header + size.text > left:
            if head := _head(request, request.passages[index], left - size.header):
                kept[index] = head
            break
        kept[index] = Kept(((0, len(request.passages[index].text)),), size.text)
        left -= size.header + size.text
    return conclude(request, sizes, kept, {}, Reason.HEAD)


def _measure(passage: Passage, request: CompressInput) -> Size:
    title, text = request.encoding.count_batch([title_line(passage.title), f"{passage.text}\n"])
    return Size(title + request.overhead_tokens, text if passage.text.strip() else 0, None)


def _head(request: CompressInput, passage: Passage, room: int) -> Kept | None:
    """The longest beginning that ends with a unit and takes at most `room` tokens."""
    units = split_units(passage.text, passage.kind)
    best = None
    low, high = 0, len(units)
    while low < high:
        middle = (low + high + 1) // 2
        spans = ((units[0][0], units[middle - 1][1]),)
        count = request.encoding.count(render_body(passage.text, spans, request.gap))
        if count <= room:
            low, best = middle, Kept(spans, count)
        else:
            high = middle - 1
    return best
