"""Text that has UTF-8, for RE2."""

from __future__ import annotations

import re
from typing import Final

_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


def scalars(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which have no UTF-8; offsets stay the same."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def readable(text: str) -> str | bytes:
    """The text as RE2 reads it fastest, offsets the same: bytes where each is a character, else `scalars`."""
    return text.encode() if text.isascii() else scalars(text)
