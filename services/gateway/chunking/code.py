"""Source code: sections by class and function, blocks by statement, from a syntax tree.

A definition keeps the comments and decorators above it. A class that fits is one passage, else its members are sections
of their own. A syntax error costs the structure around it only. What cannot be parsed within bounds is cut between
paragraphs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from services.gateway.chunking.bounds import PASSAGE
from services.gateway.chunking.document import heading_text
from services.gateway.chunking.section import Mark, Section, Unit
from services.gateway.chunking.text import body, paragraphs, verbatim
from services.text.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from services.gateway.chunking.document import Chunk, TextDocument
    from services.gateway.chunking.language import Language

_LINE = re.compile(r"([^\S\r\n]*+)[^\r\n]*+(?:\r\n?|\n|\Z)")
_DEEPEST = 16
"""Levels of classes, and of blocks in a function, that are told apart."""
_DEFAULT = "default"


def chunk_code(document: TextDocument, language: Language) -> Iterator[Chunk]:
    """Passages under the document's title, class and function."""
    text = document.text
    start, end = body(text)
    path = (document.title or document.document_id,)
    tree = parse(text, start, language.grammars)
    if tree is None:
        return verbatim(text, [Section(path, start, end, paragraphs(text, Unit.LINES), Unit.LINES)])
    return verbatim(text, _Code(text, start, language).sections(path, tree.root_node, start, end))


class _Statement(NamedTuple):
    """A node and where it begins: with its line, its decorators and the comments above them."""

    begin: int
    node: Node
    opens_line: bool


class _Named(NamedTuple):
    """What a statement defines."""

    names: tuple[str, ...]
    members: Node | None
    """The node whose children are its members, if those have names of their own."""


class _Code:
    """A text with a tree, and where its lines begin."""

    def __init__(self, text: str, start: int, language: Language) -> None:
        self._text = text
        self._language = language
        matches = list(_LINE.finditer(text, start))
        self._lines = [match.start() for match in matches]
        self._firsts = [match.end(1) for match in matches]
        """Where the code of each line begins."""

    def sections(self, path: tuple[str, ...], scope: Node, start: int, end: int) -> list[Section]:
        """Sections of a module or of a class that lies from `start` to `end`."""
        found: list[Section] = []
        loose: list[_Statement] = []
        bare = len(path) > 1
        statements = self._statements(scope)
        for index, statement in enumerate(statements, 1):
            here, node, _ = statement
            following = statements[index].begin if index < len(statements) else end
            named = self._named(node)
            if named is None:
                loose.append(statement)
                continue
            if self._text[start:here].strip():
                found.append(
                    Section(path, start, here, self._marks(loose), Unit.LINES, heading_only=bare and not loose)
                )
            inner = (*path, *named.names)
            if following - here <= PASSAGE.maximum:
                found.append(Section(inner, here, following, (), Unit.LINES))
            elif named.members is not None and len(inner) <= _DEEPEST:
                found.extend(self.sections(inner, named.members, here, following))
            else:
                found.append(Section(inner, here, following, self._marks(self._statements(node)), Unit.LINES))
            start, loose, bare = following, [], False
        if self._text[start:end].strip():
            found.append(Section(path, start, end, self._marks(loose), Unit.LINES))
        return found

    def _named(self, node: Node) -> _Named | None:
        """What a statement defines; None if that is nothing, or more than one thing."""
        language = self._language
        while (definition := language.definitions.get(node.type)) is None:
            if node.type not in language.wrappers:
                return None
            inner = [
                child
                for child in node.named_children
                if child.type in language.definitions or child.type in language.wrappers
            ]
            if len(inner) != 1:
                return None
            node = inner[0]
        holder = node
        if definition.value:
            value = node.child_by_field_name(definition.value)
            if value is None or value.type not in language.values:
                return None
            holder, members = value, language.definitions.get(value.type, definition).members
        else:
            members = definition.members
        names = [self._name(node.child_by_field_name(definition.name))]
        if definition.owner:
            names.insert(0, self._name(_first_type(node.child_by_field_name(definition.owner))))
        return _Named(
            tuple(filter(None, names)) or (_DEFAULT,), holder.child_by_field_name("body") if members else None
        )

    def _name(self, node: Node | None) -> str:
        return "" if node is None else heading_text(self._text[node.start_byte : node.end_byte])

    def _marks(self, statements: Sequence[_Statement]) -> list[Mark]:
        """A mark at each statement and, a level deeper, at what those hold that are too long for a passage."""
        marks: list[Mark] = []
        waiting: list[tuple[Sequence[_Statement], int, int]] = [(statements, 0, -1)]
        while waiting:
            block, level, outer = waiting.pop()
            for begin, node, opens_line in block:
                inner = level
                if begin != outer and (opens_line or self._in_long_line(begin)):
                    marks.append(Mark(begin, level, Unit.LINES))
                    inner = min(level + 1, _DEEPEST)
                if node.end_byte - begin > PASSAGE.maximum and "string" not in node.type:
                    waiting.append((self._statements(node), inner, begin))
        return sorted(marks, key=lambda mark: (mark.position, mark.level))

    def _statements(self, scope: Node) -> list[_Statement]:
        """A node's children, without those that belong to the one after them."""
        found: list[_Statement] = []
        leading: tuple[int, int] | None = None
        """Where what belongs to the next node begins, and its indentation."""
        for node in self._children(scope):
            line = bisect_right(self._lines, node.start_byte) - 1
            opens_line = node.start_byte <= self._firsts[line]
            indentation = node.start_byte - self._lines[line]
            if node.type in self._language.leading:
                if opens_line and (leading is None or leading[1] != indentation):
                    leading = self._lines[line], indentation
                continue
            if leading is not None and (not opens_line or leading[1] == indentation):
                found.append(_Statement(leading[0], node, True))
            else:
                found.append(_Statement(self._lines[line] if opens_line else node.start_byte, node, opens_line))
            leading = None
        return found

    def _children(self, scope: Node) -> Iterator[Node]:
        waiting = [iter(scope.named_children)]
        while waiting:
            node = next(waiting[-1], None)
            if node is None:
                waiting.pop()
            elif node.type in self._language.transparent:
                waiting.append(iter(node.named_children))
            else:
                yield node

    def _in_long_line(self, position: int) -> bool:
        """Whether the line cannot be in one passage: minified code, say."""
        line = bisect_right(self._lines, position)
        end = self._lines[line] if line < len(self._lines) else len(self._text)
        return end - self._lines[line - 1] > PASSAGE.maximum


def _first_type(node: Node | None) -> Node | None:
    """The first name of a type in a node: that of a method's receiver."""
    waiting = [node] if node is not None else []
    while waiting:
        found = waiting.pop()
        if found.type == "type_identifier":
            return found
        waiting.extend(reversed(found.named_children))
    return None
