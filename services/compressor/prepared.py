"""The binary form of a prepared passage: all that compression needs to know of a passage, computed once at ingestion.

Layout, little endian: header (`_HEADER`), then one block of 32-bit words (unit table row by row, title terms, terms,
names, needs), then the unit vectors, half a byte a value. It travels with every request, so it is compact, and reading
it copies nothing: the arrays are views into the bytes.

Half bytes, because they lose less than fewer dimensions do: README.md, "Prepared passage".
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.compressor.pins.pin import PinCounts

MAGIC: Final = b"SCPP"
VERSION: Final = 3
COUNTED_ENCODINGS: Final = ("cl100k_base", "o200k_base")
"""The encodings a prepared passage has token counts for; the order is part of the format."""

# magic, version, bytes of a vector, checksum of all that follows, digest of title and text, code points of the text,
# units, title terms, terms, names, needs, tokens of the title line (two encodings), tokens of the whole text (two
# encodings)
_HEADER: Final = struct.Struct("<4sHHIIIIIIIIIIII")
_CHECKED_FROM: Final = 12
"""Where the checksummed part begins: behind magic, version, bytes of a vector (the length tells on it) and checksum."""

_WORD: Final = np.dtype("<u4")
_PEAK: Final = 7
_ZERO: Final = 8
_HALVES: Final = np.arange(256)
_PAIRS: Final = (np.stack((_HALVES & 15, _HALVES >> 4), axis=1) - _ZERO).astype(np.float32).view(np.uint64).reshape(256)
"""For each byte its two steps as float32."""


class PreparedErrorKind(IntEnum):
    """Why prepared bytes cannot be used."""

    DAMAGED = 1
    """Cut, altered, or not of this format."""
    OTHER_VERSION = 2
    """Written by another version of the format: prepare the passage again."""


class PreparedError(ValueError):
    """Prepared bytes that cannot be used, and why."""

    def __init__(self, kind: PreparedErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Column(IntEnum):
    """The columns of the unit table."""

    START = 0
    """First code point of the unit in the passage's text."""
    END = 1
    """Code point behind its last one."""
    TERM_COUNT = 2
    """How many of the passage's terms are this unit's."""
    NAME_COUNT = 3
    """How many of the passage's names are this unit's."""
    NEED_COUNT = 4
    """How many of the passage's needs are this unit's."""
    FLAGS = 5
    """Bits of `cues.Cue`, of `unit.Join` from `JOIN_SHIFT`, and `FRAME`."""
    PINS = 6
    """How many pins of each type begin in the unit: a byte a type, four types in this column, four in the next;
    255 stands for more."""
    SCALE = 8
    """Bits of a float32: what one step of the unit's vector is worth; 0 where it is zero."""
    TOKENS = 9
    """Tokens of a blank and the unit, one column for each of `COUNTED_ENCODINGS`: what appending the unit costs."""


TABLE_WIDTH: Final = Column.TOKENS + len(COUNTED_ENCODINGS)
CUES: Final = 0xFFFF
"""The bits of `Column.FLAGS` that are cues."""
JOIN_SHIFT: Final = 16
JOIN_MASK: Final = 0xFF
FRAME: Final = 1 << 24
MOST_PINS: Final = 255


@dataclass(frozen=True, slots=True)
class PassageSignals:
    """What is known of a passage without its words. n units (sentences, lines or parts of turns) in source order."""

    table: NDArray[np.uint32]
    """(n, `TABLE_WIDTH`), columns as `Column`."""
    title_terms: NDArray[np.uint32]
    """Term ids of the title, in order."""
    terms: NDArray[np.uint32]
    """Term ids of all units, in order, repetitions kept, one unit behind the other."""
    names: NDArray[np.uint32]
    """Term ids of the capitalised words, one unit behind the other."""
    needs: NDArray[np.uint32]
    """Indexes of the units that units need, one unit behind the other."""
    steps: NDArray[np.uint8]
    """(n, d / 2) the units' vectors as `quantise` makes them; d is 0 where no vectors were made."""
    title_tokens: tuple[int, ...]
    """Tokens of the title line by encoding."""
    text_tokens: tuple[int, ...]
    """Tokens of the whole text by encoding."""
    text_length: int
    """Code points of the text."""
    digest: int
    """`text_digest` of title and text."""

    @property
    def unit_count(self) -> int:
        """How many units the passage has."""
        return len(self.table)


def pin_counts(table: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(n, pin types) of a unit table, how many pins begin in each unit."""
    return np.ascontiguousarray(table[:, Column.PINS : Column.PINS + 2]).view(np.uint8)


def put_pins(table: NDArray[np.uint32], pins: Sequence[PinCounts]) -> None:
    """Write the pins of each unit, at least one, into a unit table; `pin_counts` reads them."""
    table[:, Column.PINS : Column.PINS + 2] = np.minimum(pins, MOST_PINS).astype(np.uint8).view("<u4")


def text_digest(title: str, text: str) -> int:
    """CRC-32 of title and text: ties signals to what they were made from. Lone surrogates are allowed."""
    title_digest = zlib.crc32(title.encode("utf-8", "surrogatepass") + b"\0")
    return zlib.crc32(text.encode("utf-8", "surrogatepass"), title_digest)


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Vectors of unit length in steps of half a byte: 15 values, the widest the row's peak.

    Args:
        vectors: (n, d) unit rows or zero rows; d is even.

    Returns:
        (n, d / 2) bytes, the even column's step + 8 in the low half, and the (n,) worth of a step that makes the row's
        length 1 again.
    """
    peak = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    steps = np.rint(vectors * (_PEAK / np.where(peak > 0, peak, 1)))
    lengths = np.linalg.norm(steps, axis=1)
    halves = (steps + _ZERO).astype(np.uint8)
    scales = np.where(lengths > 0, 1 / np.where(lengths > 0, lengths, 1), 0).astype(np.float32)
    packed: NDArray[np.uint8] = halves[:, ::2] | halves[:, 1::2] << np.uint8(4)
    return packed, scales


def restore(steps: NDArray[np.uint8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, d) vectors of `quantise`'s bytes."""
    # One look-up gives both values of a byte: eight bytes, read as one 64-bit number.
    pairs = _PAIRS.take(steps).view(np.float32)
    pairs *= scales[:, None]
    return pairs


def pack(signals: PassageSignals) -> bytes:
    """The bytes of `signals`; `unpack` reads them."""
    words = (signals.table, signals.title_terms, signals.terms, signals.names, signals.needs)
    body = b"".join(block.astype("<u4").tobytes() for block in words) + signals.steps.tobytes()
    counts = (signals.unit_count, *(len(block) for block in words[1:]))
    head = struct.pack(
        "<11I", signals.digest, signals.text_length, *counts, *signals.title_tokens, *signals.text_tokens
    )
    checksum = zlib.crc32(body, zlib.crc32(head))
    return struct.pack("<4sHHI", MAGIC, VERSION, signals.steps.shape[1], checksum) + head + body


def unpack(data: bytes) -> PassageSignals:
    """The signals in `data`, as views into it.

    Raises:
        PreparedError: the bytes are damaged, or of another version of the format.
    """
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise PreparedError(PreparedErrorKind.DAMAGED, "not a prepared passage")
    fields = _HEADER.unpack_from(data)
    version, width, checksum, digest, length, units, *lengths = fields[1:11]
    if version != VERSION:
        raise PreparedError(PreparedErrorKind.OTHER_VERSION, f"prepared by format {version}, not {VERSION}")
    cells = units * TABLE_WIDTH
    words = cells + sum(lengths)
    vectors_at = _HEADER.size + 4 * words
    if len(data) != vectors_at + units * width or zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != checksum:
        raise PreparedError(PreparedErrorKind.DAMAGED, "the prepared passage is damaged")
    block = np.frombuffer(data, _WORD, words, _HEADER.size)
    # Not by `np.split`, which takes longer than all the rest.
    terms_at = cells + lengths[0]
    names_at = terms_at + lengths[1]
    needs_at = names_at + lengths[2]
    return PassageSignals(
        table=block[:cells].reshape(units, TABLE_WIDTH),
        title_terms=block[cells:terms_at],
        terms=block[terms_at:names_at],
        names=block[names_at:needs_at],
        needs=block[needs_at:],
        steps=np.frombuffer(data, np.uint8, units * width, vectors_at).reshape(units, width),
        title_tokens=fields[11:13],
        text_tokens=fields[13:15],
        text_length=length,
        digest=digest,
    )
