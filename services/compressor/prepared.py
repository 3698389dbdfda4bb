"""The binary form of a prepared passage: all that compression needs to know of a passage, computed once at ingestion.

Layout, little endian: header (`_HEADER`), then one block of 32-bit words (unit table row by row, title terms, terms,
names), then the unit vectors as int8. It travels with every request, so it is compact, and reading it copies nothing:
the arrays are views into the bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC: Final = b"SCPP"
VERSION: Final = 1
COUNTED_ENCODINGS: Final = ("cl100k_base", "o200k_base")
"""The encodings a prepared passage has token counts for; the order is part of the format."""

# magic, version, vector dimension, checksum of all that follows, digest of title and text, code points of the text,
# units, title terms, terms, names, tokens of the title line (two encodings), tokens of the whole text (two encodings)
_HEADER: Final = struct.Struct("<4sHHIIIIIIIIIII")
_CHECKED_FROM: Final = 12
"""Where the checksummed part begins: behind magic, version, dimension and the checksum itself."""


class PreparedErrorKind(IntEnum):
    """Why prepared bytes cannot be used."""

    DAMAGED = 1
    """Cut, altered, or not of this format."""
    OTHER_VERSION = 2
    """Written by another version of the format: prepare the passage again."""
    OTHER_TEXT = 3
    """Sound, but made from another title or text."""


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
    CUES = 4
    """Bits of `cues.Cue`."""
    SCALE = 5
    """Bits of a float32: what one step of the int8 vector is worth."""
    TOKENS = 6
    """Tokens of a blank and the unit, one column for each of `COUNTED_ENCODINGS`: what appending the unit costs."""


TABLE_WIDTH: Final = Column.TOKENS + len(COUNTED_ENCODINGS)


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
    vectors: NDArray[np.int8]
    """(n, d) unit vectors in steps of the row's scale; d is 0 where no vectors were made."""
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


def text_digest(title: str, text: str) -> int:
    """CRC-32 of title and text: ties signals to what they were made from. Lone surrogates are allowed."""
    title_digest = zlib.crc32(title.encode("utf-8", "surrogatepass") + b"\0")
    return zlib.crc32(text.encode("utf-8", "surrogatepass"), title_digest)


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(n, d) floats to int8 rows and (n,) scales: row = int8 row * scale, off by at most half a scale."""
    peak = np.abs(vectors).max(axis=1, initial=0.0)
    scales = np.where(peak > 0, peak / 127, 1).astype(np.float32)
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales


def pack(signals: PassageSignals) -> bytes:
    """The bytes of `signals`; `unpack` reads them."""
    words = (signals.table, signals.title_terms, signals.terms, signals.names)
    body = b"".join(block.astype("<u4").tobytes() for block in words) + signals.vectors.tobytes()
    counts = (signals.unit_count, len(signals.title_terms), len(signals.terms), len(signals.names))
    head = struct.pack(
        "<10I", signals.digest, signals.text_length, *counts, *signals.title_tokens, *signals.text_tokens
    )
    checksum = zlib.crc32(body, zlib.crc32(head))
    return struct.pack("<4sHHI", MAGIC, VERSION, signals.vectors.shape[1], checksum) + head + body


def unpack(data: bytes) -> PassageSignals:
    """The signals in `data`, as views into it.

    Raises:
        PreparedError: the bytes are damaged, or of another version of the format.
    """
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise PreparedError(PreparedErrorKind.DAMAGED, "not a prepared passage")
    fields = _HEADER.unpack_from(data)
    version, dimension, checksum, digest, length, units, title_terms, terms, names = fields[1:10]
    if version != VERSION:
        raise PreparedError(PreparedErrorKind.OTHER_VERSION, f"prepared by format {version}, not {VERSION}")
    cells = units * TABLE_WIDTH
    words = cells + title_terms + terms + names
    vectors_at = _HEADER.size + 4 * words
    if len(data) != vectors_at + units * dimension or zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != checksum:
        raise PreparedError(PreparedErrorKind.DAMAGED, "the prepared passage is damaged")
    block = np.frombuffer(data, "<u4", words, _HEADER.size)
    return PassageSignals(
        table=block[:cells].reshape(units, TABLE_WIDTH),
        title_terms=block[cells : cells + title_terms],
        terms=block[cells + title_terms : cells + title_terms + terms],
        names=block[cells + title_terms + terms :],
        vectors=np.frombuffer(data, np.int8, units * dimension, vectors_at).reshape(units, dimension),
        title_tokens=fields[10:12],
        text_tokens=fields[12:14],
        text_length=length,
        digest=digest,
    )
