"""From a passage's words to its signals; pure, given the unit vectors."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from services.compressor.cues import capitalised, cues
from services.compressor.prepared import COUNTED_ENCODINGS, TABLE_WIDTH, Column, PassageSignals, quantise, text_digest
from services.text.terms import analyse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from services.compressor.ports import TokenCounter


def term_ids(terms: Iterable[str]) -> NDArray[np.uint32]:
    """CRC-32 of each term: two of a context's few thousand terms collide with a chance below one in a thousand."""
    return np.fromiter((zlib.crc32(term.encode("utf-8", "surrogatepass")) for term in terms), np.uint32)


def title_line(title: str) -> str:
    """The line that stands above a kept passage; nothing where there is no title."""
    return f"{title}\n" if title else ""


def prepare(
    title: str,
    text: str,
    units: Sequence[tuple[int, int]],
    vectors: NDArray[np.float32] | None,
    encodings: Iterable[TokenCounter],
) -> PassageSignals:
    """The signals of one passage.

    Args:
        title: may be empty.
        text: the passage's own text; offsets are code points of it.
        units: spans of `text`, in order, disjoint, as `split_units` gives them.
        vectors: (units, d) unit rows, d even, or None where no encoder ran.
        encodings: the encodings to count by; the columns of others stay 0. Pass all of `COUNTED_ENCODINGS` to store it.
    """
    pieces = [text[start:end] for start, end in units]
    terms = [term_ids(analyse(piece)) for piece in pieces]
    names = [np.unique(term_ids(analyse(" ".join(capitalised(piece))))) for piece in pieces]
    table = np.zeros((len(pieces), TABLE_WIDTH), np.uint32)
    if pieces:
        table[:, [Column.START, Column.END]] = units
        table[:, Column.TERM_COUNT] = [len(ids) for ids in terms]
        table[:, Column.NAME_COUNT] = [len(ids) for ids in names]
        table[:, Column.CUES] = [cues(piece) for piece in pieces]
    steps, scales = quantise(np.zeros((len(pieces), 0), np.float32) if vectors is None else vectors)
    table[:, Column.SCALE] = scales.view(np.uint32)

    title_tokens, text_tokens = [0] * len(COUNTED_ENCODINGS), [0] * len(COUNTED_ENCODINGS)
    for encoding in encodings:
        index = COUNTED_ENCODINGS.index(encoding.name)
        # With a blank in front and a line end behind, costs add up: in both encodings a blank begins a new piece, and a
        # line end melts into the punctuation before it. Still off by one at times: inside a text no line end follows,
        # and a first word may take more tokens without its blank. What is kept is counted again in the end.
        counts = encoding.count_batch([title_line(title), f"{text}\n", *(f" {piece}\n" for piece in pieces)])
        title_tokens[index], text_tokens[index] = counts[:2]
        table[:, Column.TOKENS + index] = counts[2:]
    empty = [np.zeros(0, np.uint32)]
    return PassageSignals(
        table=table,
        title_terms=term_ids(analyse(title)),
        terms=np.concatenate(empty + terms),
        names=np.concatenate(empty + names),
        steps=steps,
        title_tokens=tuple(title_tokens),
        text_tokens=tuple(text_tokens),
        text_length=len(text),
        digest=text_digest(title, text),
    )
