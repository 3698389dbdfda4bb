"""Python: sections by class and function, blocks by statement, from the syntax tree of the standard library.

A function keeps its decorators and the comments above it. A class that fits is one passage, else its methods are
sections of their own. What the interpreter cannot parse (another dialect, a fragment, too deep, too large) is cut
between paragraphs.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from services.gateway.chunking.bounds import PASSAGE
from services.gateway.chunking.document import Chunk, SourceDocument, heading_text
from services.gateway.chunking.section import Mark, Section, Unit
from services.gateway.chunking.text import body, paragraphs, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PARSED = 250_000
"""Characters beyond which the syntax tree is not built: the parser holds the interpreter for 1 µs a character and
takes up to 500 bytes of memory for each."""

_NEWLINE = re.compile(r"\r\n?|\n")
_Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def chunk_python(document: SourceDocument) -> Iterator[Chunk]:
    """Passages under the document's title, class and function."""
    text = document.text
    title = document.title or document.document_id
    return verbatim(text, _sections(text, title))


def _sections(text: str, title: str) -> list[Section]:
    start, end = body(text)
    try:
        module = _Module(text, start)
        return module.sections((title,), module.tree, start, end)
    except (_TooLargeError, SyntaxError, ValueError, RecursionError, MemoryError):
        return [Section((title,), start, end, paragraphs(text, Unit.LINES), Unit.LINES)]


class _TooLargeError(Exception):
    pass


class _Module:
    """A parsed text and where its lines begin."""

    def __init__(self, text: str, start: int) -> None:
        if len(text) - start > PARSED:
            raise _TooLargeError
        self.tree = ast.parse(text[start:])
        self._text = text
        self._line_starts = [start, *(match.end() for match in _NEWLINE.finditer(text, start))]

    def sections(self, path: tuple[str, ...], scope: ast.Module | ast.ClassDef, start: int, end: int) -> list[Section]:
        """Sections of a module or of a class that lies from `start` to `end`."""
        found: list[Section] = []
        loose: list[ast.stmt] = []
        positions = [*self._positions(scope.body), end]
        for statement, here, following in zip(scope.body, positions, positions[1:], strict=False):
            if not isinstance(statement, _Definition):
                loose.append(statement)
                continue
            if self._text[start:here].strip():
                bare = isinstance(scope, ast.ClassDef) and statement is scope.body[0]
                found.append(Section(path, start, here, self._marks(loose), Unit.LINES, heading_only=bare))
            inner = (*path, heading_text(statement.name))
            if following - here <= PASSAGE.maximum:
                found.append(Section(inner, here, following, (), Unit.LINES))
            elif isinstance(statement, ast.ClassDef):
                found.extend(self.sections(inner, statement, here, following))
            else:
                found.append(Section(inner, here, following, self._marks(statement.body), Unit.LINES))
            start, loose = following, []
        if self._text[start:end].strip():
            found.append(Section(path, start, end, self._marks(loose), Unit.LINES))
        return found

    def _marks(self, statements: Sequence[ast.stmt]) -> list[Mark]:
        """A mark at each statement and, one level deeper, at those it holds."""
        marks: list[Mark] = []
        waiting = [(statements, 0)]
        while waiting:
            block, level = waiting.pop()
            marks.extend(Mark(position, level, Unit.LINES) for position in self._positions(block))
            for statement in block:
                for inner in _inner_blocks(statement):
                    is_elif = isinstance(statement, ast.If) and inner[0].col_offset == statement.col_offset
                    waiting.append((inner, level if is_elif else level + 1))
        return sorted(marks, key=lambda mark: (mark.position, mark.level))

    def _positions(self, block: Sequence[ast.stmt]) -> list[int]:
        """Where each statement begins: at the start of a line, with its decorators and the comments above them."""
        positions: list[int] = []
        previous_end = 0
        for statement in block:
            first = statement.lineno
            if isinstance(statement, _Definition) and statement.decorator_list:
                first = statement.decorator_list[0].lineno
            comment = self._first_comment(first, previous_end, statement.col_offset)
            positions.append(self._line_starts[comment - 1])
            previous_end = statement.end_lineno or first
        return positions

    def _first_comment(self, line: int, previous_end: int, indentation: int) -> int:
        """The first of the comment lines that stand above a line, as deep as it; blank lines may lie between."""
        found = line
        for above in range(line - 1, previous_end, -1):
            content = self._text[self._line_starts[above - 1] : self._line_starts[above]]
            code = content.lstrip()
            if code.startswith("#") and len(content) - len(code) == indentation:
                found = above
            elif code:
                break
        return found


def _inner_blocks(statement: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    """The lists of statements that a compound statement holds."""
    for part in ("body", "orelse", "finalbody"):
        if block := getattr(statement, part, None):
            yield block
    for clause in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield clause.body
