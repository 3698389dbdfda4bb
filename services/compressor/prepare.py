"""From a passage's words to its signals; pure, given the unit vectors."""

from __future__ import annotations

import zlib
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

from services.compressor.prepared import (
    COUNTED_ENCODINGS,
    FRAME,
    JOIN_SHIFT,
    TABLE_WIDTH,
    Column,
    PassageSignals,
    put_pins,
    quantise,
    text_digest,
)
from services.compressor.scoring.cues import capitalised, cues
from services.compressor.seams import seams_of
from services.text.memo import Memo
from services.text.terms import KNOWN_WORDS, analyse, word_terms, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from services.compressor.ports import TokenCounter
    from services.compressor.units.unit import Unit


def term_ids(terms: Iterable[str]) -> NDArray[np.uint32]:
    """CRC-32 of each term: two of a context's few thousand terms collide with a chance below one in a thousand."""
    return np.array([_term_id(term) for term in terms], np.uint32)


def title_line(title: str) -> str:
    """The line that stands above a kept passage; nothing where there is no title."""
    return f"{title}\n" if title else ""


def prepare(
    title: str,
    text: str,
    units: Sequence[Unit],
    vectors: NDArray[np.float32] | None,
    encodings: Iterable[TokenCounter],
) -> PassageSignals:
    """The signals of one passage.

    Args:
        title: may be empty.
        text: the passage's own text; offsets are code points of it.
        units: as `split_units` gives them.
        vectors: (units, d) unit rows, d even, or None where no encoder ran.
        encodings: the encodings to count by; the columns of others stay 0. Pass all of `COUNTED_ENCODINGS` to store it.
    """
    edges = [0, *chain.from_iterable((unit.start, unit.end) for unit in units), len(text)]
    parts = [text[a:b] for a, b in pairwise(edges)]
    pieces = parts[1::2]
    terms = [_ids(piece) for piece in pieces]
    names = [sorted({*_ids(" ".join(capitalised(piece)))}) for piece in pieces]
    table = np.zeros((len(pieces), TABLE_WIDTH), np.uint32)
    if pieces:
        table[:, : Column.FLAGS + 1] = [
            (
                unit.start,
                unit.end,
                len(unit_terms),
                len(unit_names),
                len(unit.needs),
                int(cues(piece)) | unit.join << JOIN_SHIFT | FRAME * unit.frame,
            )
            for piece, unit, unit_terms, unit_names in zip(pieces, units, terms, names, strict=True)
        ]
        put_pins(table, [unit.pins for unit in units])
    if vectors is None:
        steps = np.zeros((len(pieces), 0), np.uint8)
    else:
        steps, scales = quantise(vectors)
        table[:, Column.SCALE] = scales.view(np.uint32)

    title_tokens, text_tokens = [0] * len(COUNTED_ENCODINGS), [0] * len(COUNTED_ENCODINGS)
    for encoding in encodings:
        index = COUNTED_ENCODINGS.index(encoding.name)
        # With a blank in front and a line end behind, costs add up: in both encodings a blank begins a new piece, and a
        # line end melts into the punctuation before it. Still off by one at times: inside a text no line end follows,
        # and a first word may take more tokens without its blank. What is kept is counted exactly in the end.
        title_tokens[index], *counts = encoding.count_batch([title_line(title), *(f" {piece}\n" for piece in pieces)])
        table[:, Column.TOKENS + index] = counts
        text_tokens[index] = seams_of(encoding).total(parts, counts)
    return PassageSignals(
        table=table,
        title_terms=term_ids(analyse(title)),
        terms=np.array([*chain.from_iterable(terms)], np.uint32),
        names=np.array([*chain.from_iterable(names)], np.uint32),
        needs=np.array([need for unit in units for need in unit.needs], np.uint32),
        steps=steps,
        title_tokens=tuple(title_tokens),
        text_tokens=tuple(text_tokens),
        text_length=len(text),
        digest=text_digest(title, text),
    )


def _ids(text: str) -> list[int]:
    """The ids of a text's terms, in order."""
    return [*chain.from_iterable(map(_word_ids.__getitem__, words(text)))]


def _term_id(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


_word_ids = Memo(lambda word: tuple(map(_term_id, word_terms(word))), KNOWN_WORDS)
