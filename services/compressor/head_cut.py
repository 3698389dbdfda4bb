"""The plain cut: what stands in when scoring fails. Reads nothing but the words; parses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.decision import decide
from services.compressor.outcome import conclude
from services.compressor.passage import Reason
from services.compressor.pins.check import maimed_pins
from services.compressor.prepare import title_line
from services.compressor.settle import Kept
from services.compressor.sizing import Size
from services.compressor.units.json_members import may_be_json
from services.text.sentences import split_sentences

if TYPE_CHECKING:
    from services.compressor.passage import CompressInput, CompressOutput, Passage


def head_cut(request: CompressInput) -> CompressOutput:
    """Whole passages in the order of their retrieval scores; the first that does not fit is cut behind a sentence.

    The guarantees are those of `compress`: code, and what may be JSON, is kept whole or not at all. Priorities and
    bounds of sections are not looked at. No passage counts as prepared, because prepared bytes are not read.
    """
    sizes = [_measure(passage, request) for passage in request.passages]
    total = sum(size.header + size.text for size in sizes if size.text)
    decision = decide(total, request.max_tokens, request.target_tokens, request.price, prompt_cached=False)
    order = sorted(range(len(sizes)), key=lambda index: -request.passages[index].score)
    kept: dict[int, Kept] = {}
    left = decision.bound
    for index in order:
        size, passage = sizes[index], request.passages[index]
        if not size.text:
            continue
        if size.header + size.text > left:
            if head := _head(request, passage, left - size.header):
                kept[index] = head
            break
        kept[index] = Kept(((0, len(passage.text)),), passage.text, size.text)
        left -= size.header + size.text
    return conclude(request, sizes, kept, decision, partly=Reason.HEAD, dropped={})


def _measure(passage: Passage, request: CompressInput) -> Size:
    title, text = request.encoding.count_batch([title_line(passage.title), f"{passage.text}\n"])
    return Size(title + request.overhead_tokens, text if passage.text.strip() else 0, None, raw=True)


def _head(request: CompressInput, passage: Passage, room: int) -> Kept | None:
    """The longest beginning that ends with a sentence, maims no pin and takes at most `room` tokens."""
    text = passage.text
    if passage.kind == "code" or may_be_json(text):
        return None
    sentences = split_sentences(text)
    low, high = 0, len(sentences)
    while low < high:
        middle = (low + high + 1) // 2
        if _count(request, text[sentences[0][0] : sentences[middle - 1][1]]) <= room:
            low = middle
        else:
            high = middle - 1
    for count in range(low, 0, -1):
        span = (sentences[0][0], sentences[count - 1][1])
        if not maimed_pins(text, [span], request.pin_patterns, passage.kind):
            shown = text[span[0] : span[1]]
            return Kept((span,), shown, _count(request, shown))
    return None


def _count(request: CompressInput, text: str) -> int:
    return request.encoding.count(f"{text}\n")
