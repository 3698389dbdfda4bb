"""Bytes to text."""

from __future__ import annotations

import codecs

from services.gateway.chunking.errors import ChunkingError, ChunkingReason


def decode(content: bytes) -> str:
    """The text of UTF-8; a byte order mark stays. Raises ChunkingError BINARY_CONTENT or BROKEN_ENCODING."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _broken(0, "The content is UTF-16, not UTF-8")
    if b"\0" in content:
        raise ChunkingError(ChunkingReason.BINARY_CONTENT, "The content has NUL bytes: it is not a text.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _broken(error.start, f"The content is not UTF-8 at byte {error.start}") from None


def _broken(offset: int, what: str) -> ChunkingError:
    return ChunkingError(ChunkingReason.BROKEN_ENCODING, f"{what}.", metadata={"offset": str(offset)})
