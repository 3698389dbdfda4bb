"""What is said of each passage in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compressor.passage import CompressedPassage, CompressOutput, Fate, Reason, SectionUse
from services.compressor.settle import Kept
from services.compressor.tally import tally_pins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.compressor.decision import Decision
    from services.compressor.passage import CompressInput
    from services.compressor.sizing import Size


def whole(request: CompressInput, sizes: Sequence[Size], decision: Decision) -> CompressOutput:
    """Every passage that has words, untouched."""
    kept = {
        index: Kept(((0, len(passage.text)),), passage.text, size.text)
        for index, (passage, size) in enumerate(zip(request.passages, sizes, strict=True))
        if size.text
    }
    return conclude(request, sizes, kept, decision, partly=Reason.FITS, dropped={})


def conclude(
    request: CompressInput,
    sizes: Sequence[Size],
    kept: Mapping[int, Kept],
    decision: Decision,
    *,
    partly: Reason,
    dropped: Mapping[int, Reason],
    exceptions: Mapping[int, Reason] | None = None,
    uncut: Sequence[int] = (),
) -> CompressOutput:
    """The output.

    Args:
        request: what was asked.
        sizes: one for each passage.
        kept: what is kept, by passage index.
        decision: what was decided.
        partly: the reason of a passage of which only some is kept.
        dropped: reasons of dropped passages, by passage index; others are less relevant.
        exceptions: reasons that stand for those that would be given.
        uncut: passages that could not be cut into units.
    """
    passages = []
    section_tokens, section_passages = ([0] * len(request.sections) for _ in range(2))
    tallies = tally_pins(request, sizes, kept)
    for index, (passage, size, tally) in enumerate(zip(request.passages, sizes, tallies, strict=True)):
        part = kept.get(index)
        if part is None:
            fate = Fate.DROPPED
            reason = dropped.get(index, Reason.LESS_RELEVANT) if size.text else Reason.EMPTY
        else:
            section_tokens[passage.section] += size.header + part.token_count
            section_passages[passage.section] += 1
            fate, reason = (Fate.KEPT, Reason.FITS) if _is_whole(passage.text, part) else (Fate.COMPRESSED, partly)
        passages.append(
            CompressedPassage(
                id=passage.id,
                spans=part.spans if part else (),
                text=part.text if part else "",
                token_count=part.token_count if part else 0,
                original_token_count=size.text,
                fate=fate,
                reason=(exceptions or {}).get(index, reason),
                raw=size.raw,
                kept_pins=tally[0],
                dropped_pins=tally[1],
            )
        )
    uses = tuple(map(SectionUse, section_tokens, section_passages))
    return CompressOutput(tuple(passages), sum(section_tokens), decision, uses, tuple(uncut))


def _is_whole(text: str, kept: Kept) -> bool:
    """Whether nothing but white space was left out."""
    start, end = kept.spans[0][0], kept.spans[-1][1]
    return len(kept.spans) == 1 and not text[:start].strip() and not text[end:].strip()
