"""What stands for a document's id, or a subject, wherever something that names it is kept."""

from hashlib import blake2b

_BYTES = 8


def name_digest(name: str) -> bytes:
    """64 bits of BLAKE2b: ids may be personal, and what names them is read in bulk.

    Two of 50,000 share one once in ten billion times; then what concerns one of them concerns the other, too.
    """
    return blake2b(name.encode(), digest_size=_BYTES).digest()
