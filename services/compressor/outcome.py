"""What is said of each passage in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.passage import CompressedPassage, CompressOutput, Fate, Reason
from services.compressor.rendering import Kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.compressor.passage import CompressInput
    from services.compressor.sizing import Size


def whole(request: CompressInput, sizes: Sequence[Size]) -> CompressOutput:
    """Everything fits: every passage that has words, untouched."""
    kept = {
        index: Kept(((0, len(request.passages[index].text)),), size.text)
        for index, size in enumerate(sizes)
        if size.text
    }
    return conclude(request, sizes, kept, {}, Reason.FITS)


def conclude(
    request: CompressInput,
    sizes: Sequence[Size],
    kept: Mapping[int, Kept],
    cheapest: Mapping[int, int],
    partly: Reason,
) -> CompressOutput:
    """The output.

    Args:
        request: what was asked.
        sizes: one for each passage.
        kept: what is kept, by passage index.
        cheapest: tokens of the cheapest unit, by passage index; passages that are not named could have been kept.
        partly: the reason of a passage of which only some is kept.
    """
    passages = []
    total = 0
    for index, (passage, size) in enumerate(zip(request.passages, sizes, strict=True)):
        part = kept.get(index)
        if part is None:
            fate = Fate.DROPPED
            if not size.text:
                reason = Reason.EMPTY
            elif size.header + cheapest.get(index, 0) > request.max_tokens:
                reason = Reason.TOO_LARGE
            else:
                reason = Reason.LESS_RELEVANT
        else:
            total += size.header + part.token_count
            fate, reason = (Fate.KEPT, Reason.FITS) if _is_whole(passage.text, part) else (Fate.COMPRESSED, partly)
        passages.append(
            CompressedPassage(
                id=passage.id,
                spans=part.spans if part else (),
                token_count=part.token_count if part else 0,
                original_token_count=size.text,
                fate=fate,
                reason=reason,
                raw=size.signals is None,
            )
        )
    return CompressOutput(tuple(passages), total)


def _is_whole(text: str, kept: Kept) -> bool:
    """Whether nothing but white space was left out."""
    start, end = kept.spans[0][0], kept.spans[-1][1]
    return len(kept.spans) == 1 and not text[:start].strip() and not text[end:].strip()
