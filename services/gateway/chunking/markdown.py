"""Markdown: sections by heading, blocks by the line maps of markdown-it's tokens (CommonMark and tables).

Front matter is left out. Headings inside lists and quotations are text. A list is cut between items, an item between
its blocks, a table between rows, code between blank lines, each only when it is too long as it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from services.gateway.chunking.document import MAX_HEADING, Chunk, TextDocument, heading_text
from services.gateway.chunking.outline import Heading, OutlineBlock, sections, with_title
from services.gateway.chunking.section import Unit
from services.gateway.chunking.text import body, paragraphs, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

SLICE = 200_000
"""Characters parsed at once. markdown-it takes up to 500 bytes of memory a character, so this holds it below 100 MB."""

_NEWLINE = re.compile(r"\r\n?|\n")
_FRONT_MATTER = re.compile(
    r"(?:---[ \t]*\r?\n(?=\s*[\w\"'-]+[ \t]*:)(?:.*\r?\n)*?(?:---|\.\.\.)|\+\+\+[ \t]*\r?\n(?:.*\r?\n)*?\+\+\+)"
    r"[ \t]*(?:\r?\n|\Z)"
)
_LINE_BLOCKS = frozenset({"fence", "code_block", "html_block", "table_open"})
_CODE_BLOCKS = frozenset({"fence", "code_block"})
_CELLS = frozenset({"thead_open", "tbody_open", "tr_open", "th_open", "td_open", "inline"})


def chunk_markdown(document: TextDocument) -> Iterator[Chunk]:
    """Passages under the document's title and their headings."""
    text = document.text
    start, end = body(text)
    if front_matter := _FRONT_MATTER.match(text, start):
        start = front_matter.end()
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])  # inline markup is parsed for headings alone
    title, blocks = with_title(document.title, document.document_id, _blocks(parser, text, start))
    return verbatim(text, sections(title, text, blocks, start, end))


def _blocks(parser: MarkdownIt, text: str, start: int) -> Iterator[OutlineBlock]:
    """The blocks of a text of any length, slice by slice.

    A slice ends at a line's end. Its last block may go on in the next slice, so it is parsed again with that one.
    """
    while start < len(text):
        end = _slice_end(text, start)
        if end - start > SLICE:  # one line, too long for a parser
            yield OutlineBlock(start, 0, Unit.PROSE)
            start = end
            continue
        found = list(_parse(parser, text, start, end))
        outermost = [index for index, block in enumerate(found) if block.level == 0]
        if end < len(text) and len(outermost) > 1:
            end = found[outermost[-1]].position
            del found[outermost[-1] :]
        yield from found
        start = end


def _slice_end(text: str, start: int) -> int:
    """End of the last line that fits in a slice; of the first line, where not even that fits."""
    if len(text) - start <= SLICE:
        return len(text)
    limit = start + SLICE
    cut = max(text.rfind("\n", start, limit), text.rfind("\r", start, limit - 1))
    if cut >= 0:
        return cut + 1
    newline = _NEWLINE.search(text, limit - 1)
    return newline.end() if newline else len(text)


def _parse(parser: MarkdownIt, text: str, start: int, end: int) -> Iterator[OutlineBlock]:
    part = text[start:end]
    lines = [0, *(match.end() for match in _NEWLINE.finditer(part)), len(part)]
    tokens = parser.parse(part)
    for index, token in enumerate(tokens):
        if token.map is None or token.nesting < 0 or token.type in _CELLS:
            continue
        unit = Unit.LINES if token.type in _LINE_BLOCKS else Unit.PROSE
        heading = None
        if token.type == "heading_open" and token.level == 0:
            heading = Heading(int(token.tag[1:]), _plain(parser, tokens[index + 1].content))
        yield OutlineBlock(start + lines[token.map[0]], token.level, unit, heading)
        if token.type in _CODE_BLOCKS:
            first, last = (lines[line] for line in token.map)
            for mark in paragraphs(part, Unit.LINES, first, last):
                yield OutlineBlock(start + mark.position, token.level + 1, Unit.LINES)


def _plain(parser: MarkdownIt, content: str) -> str:
    """A heading's text without its markup."""
    tokens: list[Token] = []
    parser.inline.parse(content[: 4 * MAX_HEADING], parser, {}, tokens)
    return heading_text("".join(_words(tokens)))


def _words(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in {"text", "code_inline"}:
            yield token.content
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "
        elif token.type == "image":
            yield from _words(token.children or ())
