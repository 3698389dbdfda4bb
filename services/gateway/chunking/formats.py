"""The formats, as data: a content type says which kind of source a document is and how it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from services.gateway.chunking.conversation import chunk_conversation
from services.gateway.chunking.errors import ChunkingError, ChunkingReason
from services.gateway.chunking.html import chunk_html
from services.gateway.chunking.markdown import chunk_markdown
from services.gateway.chunking.python import chunk_python
from services.gateway.chunking.text import BYTE_ORDER_MARK, chunk_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from services.gateway.chunking.document import Chunk, SourceDocument


class Kind(StrEnum):
    """What a source holds. A document that names no source goes to the source that is called like its kind."""

    DOCS = "docs"
    CODE = "code"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Format:
    """What a content type means."""

    kind: Kind
    split: Callable[[SourceDocument], Iterator[Chunk]]
    """Passages in the document's order."""


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "text/plain": Format(Kind.DOCS, chunk_text),
        "text/markdown": Format(Kind.DOCS, chunk_markdown),
        "text/html": Format(Kind.DOCS, chunk_html),
        "text/x-python": Format(Kind.CODE, chunk_python),
        "application/x-ndjson": Format(Kind.HISTORY, chunk_conversation),
    }
)


def format_of(content_type: str) -> Format:
    """The format of a content type; letter case and parameters (`; charset=utf-8`) do not matter.

    Raises ChunkingError UNSUPPORTED_CONTENT_TYPE.
    """
    found = FORMATS.get(content_type.partition(";")[0].strip().lower())
    if found is None:
        message = f"Content type not supported; expected one of {', '.join(FORMATS)}."
        raise ChunkingError(ChunkingReason.UNSUPPORTED_CONTENT_TYPE, message)
    return found


def chunk(document: SourceDocument) -> list[Chunk]:
    """Passages in the document's order, at least one.

    Blocking, linear in the text: about 1 s a MB, up to 20 s for Markdown of one-letter list items. The first
    element of every title path is the document's title. Raises ChunkingError.
    """
    split = format_of(document.content_type).split
    if "\0" in document.text:
        raise ChunkingError(ChunkingReason.BINARY_CONTENT, "The document contains NUL characters: it is not a text.")
    if not document.text.removeprefix(BYTE_ORDER_MARK).strip():
        raise ChunkingError(ChunkingReason.EMPTY_DOCUMENT, "The document is empty or only white space.")
    chunks = list(split(document))
    if not chunks:
        raise ChunkingError(ChunkingReason.EMPTY_DOCUMENT, "The document has no text to index.")
    return chunks
