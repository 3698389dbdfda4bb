"""Why a document cannot be cut."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ChunkingReason(StrEnum):
    """Reasons as they go over the wire."""

    EMPTY_DOCUMENT = "EMPTY_DOCUMENT"
    """Nothing to index: no characters, only white space, or only what the format leaves out."""
    BINARY_CONTENT = "BINARY_CONTENT"
    """A NUL character: not a text."""
    BROKEN_ENCODING = "BROKEN_ENCODING"
    """Not UTF-8."""
    UNREADABLE_DOCUMENT = "UNREADABLE_DOCUMENT"
    """Not what its content type says, locked, or too large to be read."""
    MALFORMED_CONVERSATION = "MALFORMED_CONVERSATION"
    """A line that is not a turn."""
    UNSUPPORTED_CONTENT_TYPE = "UNSUPPORTED_CONTENT_TYPE"
    """No format of that name."""


class ChunkingError(ValueError):
    """The document is at fault. Its message is one sentence without any of the document's text."""

    def __init__(self, reason: ChunkingReason, message: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata = metadata or {}
        """Where the fault is: `line` of the original, from 1, or `offset` in bytes, from 0."""
