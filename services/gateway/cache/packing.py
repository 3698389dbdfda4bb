"""How messages, the names of documents and epochs are written into the cache."""

from collections.abc import Iterable

from isal import isal_zlib
from isal.igzip_lib import IsalError

from services.gateway.name_digest import name_digest
from services.gateway.unique import unique_word

MAX_ENTRY_BYTES = 1 << 20
"""What is stored is at most so large, packed: who looks for all that name a document reads each. A reply has 10 KB."""

_LEVEL = 1
"""Leaves 45 % of 20 KB of text, in some 40 microseconds; it is read in 26."""

_LENGTH_BYTES = 4

_MAX_GUESS_BYTES = 1 << 26
"""Room that is made at once at most, whatever the length says that stands there."""


class UnreadableError(ValueError):
    """It is not what `pack` made."""


def pack(message: bytes) -> bytes:
    """A message, made smaller."""
    return len(message).to_bytes(_LENGTH_BYTES) + isal_zlib.compress(message, _LEVEL)


def unpack(packed: bytes) -> bytes:
    """The message again. Raises UnreadableError."""
    length = int.from_bytes(packed[:_LENGTH_BYTES])
    try:
        # Told how long it is, zlib need not guess and copy.
        return isal_zlib.decompress(memoryview(packed)[_LENGTH_BYTES:], bufsize=min(max(length, 1), _MAX_GUESS_BYTES))
    except IsalError as error:  # type: ignore[misc]  # isal's stub takes its class for an instance
        raise UnreadableError("it cannot be unpacked") from error


def zlib_of(packed: bytes) -> bytes:
    """What `pack` made, as anybody can read it; empty where there is nothing."""
    return packed[_LENGTH_BYTES:]


def digests(document_ids: Iterable[str]) -> bytes:
    """Digests of documents' names, one after the other, each once."""
    return b"".join(name_digest(name) for name in sorted({*document_ids}))


def new_epoch() -> str:
    """A word that no other epoch of a tenant's cache has."""
    return unique_word()
