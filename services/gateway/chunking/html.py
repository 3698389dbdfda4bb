"""HTML: the main text's blocks under their headings, a table row by row.

A passage's text is not verbatim: it is what a reader sees, white space made even, blocks on lines of their own, cells
apart by ` | `. Its offsets run from the start of the first to the end of the last run of text it has something of, in
the original; so two passages of one long run have the same offsets, and what lies between contains markup.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from services.gateway.chunking.document import Chunk, TextDocument, heading_text
from services.gateway.chunking.html_reader import HtmlBlock, read_html
from services.gateway.chunking.outline import Heading, OutlineBlock, sections, with_title
from services.gateway.chunking.packing import pack
from services.gateway.chunking.section import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERMALINK = "¶"


def chunk_html(document: TextDocument) -> Iterator[Chunk]:
    """Passages of the main text under the document's title and their headings.

    The main text is what stands in `main`, or else in `article`s, or else in the body.
    """
    html = read_html(document.text)
    scope = max((block.scope for block in html.blocks), default=0)
    rendering = _Rendering()
    outline: list[OutlineBlock] = []
    for block in html.blocks:
        if block.scope == scope:
            outline.extend(rendering.add(block))
    title, blocks = with_title(document.title, heading_text(html.title) or document.document_id, iter(outline))
    text = "".join(rendering.parts)
    for path, start, end in pack(text, sections(title, text, blocks, 0, len(text))):
        yield Chunk(path, text[start:end], *rendering.source(start, end))


class _Rendering:
    """The main text as it is shown, and where its pieces come from."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._length = 0
        self._table = 0
        self._shown: list[int] = []
        """Where each run begins in the text shown."""
        self._runs: list[tuple[int, int]] = []

    def add(self, block: HtmlBlock) -> Iterator[OutlineBlock]:
        """Appends a block; gives what the outline has of it: nothing for the later rows of a table."""
        goes_on = block.table > 0 and block.table == self._table
        self._table = block.table
        if self._length:
            self._append("\n" if goes_on or block.tag == "li" else "\n\n")
        begin = self._length
        for run in block.runs:
            self._shown.append(self._length)
            self._runs.append((run.start, run.end))
            self._append(run.text)
        heading = None
        if block.heading_depth:
            name = "".join(self.parts[-len(block.runs) :])
            heading = Heading(block.heading_depth, heading_text(name).rstrip(_PERMALINK).rstrip())
        if not goes_on:
            yield OutlineBlock(begin, 0, Unit.LINES if block.table or block.tag == "pre" else Unit.PROSE, heading)

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the original of a stretch of the text shown."""
        first = bisect_right(self._shown, start) - 1
        last = bisect_left(self._shown, end) - 1
        return self._runs[first][0], self._runs[last][1]

    def _append(self, text: str) -> None:
        self.parts.append(text)
        self._length += len(text)
