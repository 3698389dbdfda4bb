"""The formats, as data: a content type says which kind of source a document is and how it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from services.gateway.chunking import language
from services.gateway.chunking.code import chunk_code
from services.gateway.chunking.conversation import chunk_conversation
from services.gateway.chunking.decoding import decode
from services.gateway.chunking.document import TextDocument
from services.gateway.chunking.errors import ChunkingError, ChunkingReason
from services.gateway.chunking.html import chunk_html
from services.gateway.chunking.markdown import chunk_markdown
from services.gateway.chunking.pdf import chunk_pdf
from services.gateway.chunking.text import BYTE_ORDER_MARK, chunk_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from services.gateway.chunking.document import Chunk, SourceDocument
    from services.gateway.chunking.language import Language


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


def _text(split: Callable[[TextDocument], Iterator[Chunk]]) -> Callable[[SourceDocument], Iterator[Chunk]]:
    """A format whose content is text."""

    def read(document: SourceDocument) -> Iterator[Chunk]:
        text = decode(document.content)
        if not text.removeprefix(BYTE_ORDER_MARK).strip():
            raise ChunkingError(ChunkingReason.EMPTY_DOCUMENT, "The document is empty or only white space.")
        return split(TextDocument(document.document_id, document.title, text))

    return read


def _code(of: Language) -> Format:
    return Format(Kind.CODE, _text(partial(chunk_code, language=of)))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "text/plain": Format(Kind.DOCS, _text(chunk_text)),
        "text/markdown": Format(Kind.DOCS, _text(chunk_markdown)),
        "text/html": Format(Kind.DOCS, _text(chunk_html)),
        "application/pdf": Format(Kind.DOCS, chunk_pdf),
        "text/x-python": _code(language.PYTHON),
        "text/javascript": _code(language.JAVASCRIPT),
        "text/typescript": _code(language.TYPESCRIPT),
        "text/x-go": _code(language.GO),
        "text/x-java": _code(language.JAVA),
        "application/x-ndjson": Format(Kind.HISTORY, _text(chunk_conversation)),
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

    Blocking, linear in the text: about 1 s a MB, up to 20 s for Markdown of one-letter list items, code that is none,
    and PDFs. The first element of every title path is the document's title. Raises ChunkingError.
    """
    chunks = list(format_of(document.content_type).split(document))
    if not chunks:
        raise ChunkingError(ChunkingReason.EMPTY_DOCUMENT, "The document has no text to index.")
    return chunks
