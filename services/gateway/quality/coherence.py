"""How well the evidence reads as one: long pieces, and what belongs together stands together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scic.gateway.v1 import context_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

_READABLE: Final = 64
"""Tokens of a piece that reads well alone: three sentences."""
_STRIDE: Final = 200
"""Characters, about two sentences, that may be missing inside a piece."""


@dataclass(frozen=True, slots=True)
class Coherence:
    """What the pieces of the evidence make."""

    value: float
    """0 to 1."""
    pieces: int
    """Pieces that the evidence is read in."""
    apart: int
    """Passages that do not come right behind an earlier one of their document."""


def coherence_of(evidence: Sequence[pb.Evidence]) -> Coherence:
    """The coherence of evidence in the order of the prompt. Without evidence: 0.

    A piece is what lies near each other in a document, in its order; neighbouring passages make one.
    """
    pieces: list[float] = []
    documents: set[str] = set()
    apart = 0
    last, begin, end = "", -1, -1
    """The document before, where its passage began, and where what is read of it ended."""
    for passage in evidence:
        document = passage.document_id or passage.passage_id
        ranges = _ranges(passage)
        follows = document == last and ranges[0][0] > begin
        if document in documents and not follows:
            apart += 1
        per_character = max(passage.token_count, 1) / sum(stop - start for start, stop in ranges)
        for start, stop in ranges:
            tokens = (stop - start) * per_character
            if follows and start - end <= _STRIDE:
                pieces[-1] += tokens
            else:
                pieces.append(tokens)
            follows, end = True, stop
        last, begin = document, ranges[0][0]
        documents.add(document)
    if not pieces:
        return Coherence(0.0, 0, 0)
    total = sum(pieces)
    readable = min(_READABLE, total)
    reads_on = sum(tokens * min(tokens / readable, 1.0) for tokens in pieces) / total
    return Coherence(reads_on * (1 - apart / len(evidence)), len(pieces), apart)


def _ranges(passage: pb.Evidence) -> list[tuple[int, int]]:
    """Where the text comes from, in order; none of them empty. A summary is one text, whatever it was made of."""
    ranges = [(span.start, max(span.end, span.start + 1)) for span in passage.spans]
    if not ranges:
        return [(0, len(passage.text) or 1)]
    return [(ranges[0][0], ranges[-1][1])] if passage.fate == pb.Evidence.FATE_SUMMARISED else ranges
