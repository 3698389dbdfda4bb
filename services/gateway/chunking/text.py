"""Plain text: paragraphs, then sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.gateway.chunking.document import Chunk, TextDocument
from services.gateway.chunking.packing import pack
from services.gateway.chunking.section import Mark, Section, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BYTE_ORDER_MARK = "\ufeff"
_PARAGRAPH_END = re.compile(r"(?:\r\n?+|\n)[^\S\r\n]*+(?:\r\n?+|\n)\s*+")


def chunk_text(document: TextDocument) -> Iterator[Chunk]:
    """Passages of a plain text; their title path is the document's title."""
    title = document.title or document.document_id
    return verbatim(document.text, [Section((title,), *body(document.text), paragraphs(document.text, Unit.PROSE))])


def body(text: str) -> tuple[int, int]:
    """Bounds of the text without a byte order mark."""
    return int(text.startswith(BYTE_ORDER_MARK)), len(text)


def paragraphs(text: str, unit: Unit, start: int = 0, end: int | None = None) -> list[Mark]:
    """A mark at each paragraph but the first: at what follows blank lines."""
    matches = _PARAGRAPH_END.finditer(text, start, len(text) if end is None else end)
    return [Mark(_line_start(text, match.end()), 0, unit) for match in matches]


def verbatim(text: str, sections: Iterable[Section]) -> Iterator[Chunk]:
    """Passages that are stretches of the original."""
    return (Chunk(path, text[start:end], start, end) for path, start, end in pack(text, sections))


def _line_start(text: str, position: int) -> int:
    """The line's indentation belongs to the paragraph."""
    while text[position - 1] not in "\r\n":
        position -= 1
    return position
