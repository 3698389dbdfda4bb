"""A reply as others may have it."""

from dataclasses import dataclass, field
from typing import Self

from services.gateway.cache.packing import pack, unpack


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What `rewording.common` made of a reply, in both forms: one goes to callers, the other lies in stores."""

    serialized: bytes
    """A BuildContextResponse."""

    packed: bytes = field(compare=False, repr=False)
    """The same, as `pack` makes it."""

    @classmethod
    def of(cls, serialized: bytes) -> Self:
        """From its serialized form."""
        return cls(serialized, pack(serialized))

    @classmethod
    def read(cls, packed: bytes) -> Self:
        """From its packed form. Raises UnreadableError."""
        return cls(unpack(packed), packed)
