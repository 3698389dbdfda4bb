"""What goes into the chunker and what comes out."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEADING = 120
"""Characters of one element of a title path: a title is paid for with every passage."""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document to cut."""

    document_id: str
    """1 to 256 printable characters: a path or a URL, say."""
    title: str
    """Empty: the document's own first heading or title (Markdown, HTML, PDF), or else its id."""
    content_type: str
    """A key of `FORMATS`; parameters after `;` are ignored."""
    content: bytes
    """As it came."""


@dataclass(frozen=True, slots=True)
class TextDocument:
    """A document whose content is text."""

    document_id: str
    title: str
    text: str
    """All offsets are code points in it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document."""

    title_path: tuple[str, ...]
    """The document's title, then headings, or class and function, from the outside in."""
    text: str
    """`original[start:end]`, verbatim; for HTML and conversations the text that the format's module describes.

    The original is the decoded content; of a PDF it is the text of its pages with a form feed between them."""
    start: int
    """First code point in the original."""
    end: int
    """One past the last code point in the original."""


def heading_text(text: str) -> str:
    """One line of at most `MAX_HEADING` characters, fit to be an element of a title path."""
    line = _SPACE.sub(" ", text[: 4 * MAX_HEADING]).strip()
    return line if len(line) <= MAX_HEADING else f"{line[: MAX_HEADING - 1].rstrip()}…"
