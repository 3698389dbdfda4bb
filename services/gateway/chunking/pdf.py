"""PDF: the text of its pages under the headings of its outline, or under "page N" where it has none.

A passage's text is verbatim and its offsets are code points in the text of the pages, joined by form feeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.chunking.outline import Heading, OutlineBlock, sections
from services.gateway.chunking.pdf_reader import PageHeading, read_pdf
from services.gateway.chunking.section import Unit
from services.gateway.chunking.text import paragraphs, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.gateway.chunking.document import Chunk, SourceDocument
    from services.gateway.chunking.pdf_reader import PdfText


def chunk_pdf(document: SourceDocument) -> Iterator[Chunk]:
    """Passages of the text. Raises ChunkingError UNREADABLE_DOCUMENT."""
    pdf = read_pdf(document.content)
    title = document.title or pdf.title or document.document_id
    return verbatim(pdf.text, sections(title, pdf.text, _blocks(pdf), 0, len(pdf.text)))


def _blocks(pdf: PdfText) -> list[OutlineBlock]:
    headings = pdf.headings or [
        PageHeading(position, 1, f"page {number}") for number, position in enumerate(pdf.pages, 1)
    ]
    blocks = [mark_of_text for heading in headings for mark_of_text in _opening(heading)]
    blocks.extend(OutlineBlock(mark.position, 0, Unit.PROSE) for mark in paragraphs(pdf.text, Unit.PROSE))
    if pdf.headings:
        blocks.extend(OutlineBlock(position, 0, Unit.PROSE) for position in pdf.pages)
    return sorted(blocks, key=lambda block: block.position)


def _opening(heading: PageHeading) -> Iterator[OutlineBlock]:
    """A heading, and the text that it is a part of: no block of its own."""
    yield OutlineBlock(heading.position, 0, Unit.PROSE, Heading(heading.depth, heading.name))
    yield OutlineBlock(heading.position, 0, Unit.PROSE)
