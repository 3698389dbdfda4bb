"""The statements of source code, and the heads and closing lines of what they stand in.

A compound (a class, a function, a loop, a literal of many lines) is its spine, the lines outside of its blocks, and the
statements of its blocks. The spine is kept as a whole when anything in it is: so what is left parses, with a mark in
the place of what is missing. Units are whole lines; each reaches to the next one's beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.compressor.units.unit import Join, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from services.compressor.units.languages import Language

WHOLE: Final = 240
"""Characters up to which a compound is one unit."""
_DEEPEST: Final = 16
"""Levels of blocks that are opened."""
_LEAST_BLOCK: Final = 40
"""Characters below which a node is not searched for blocks."""
_LONGEST_LEAD: Final = 400
"""Characters of a comment up to which it goes with the statement below it."""
_IMPORTS: Final = 2
"""Imports of a name that its use needs: the usual one, and another one where it fails."""

_LINE: Final = re.compile(r"^([^\S\n]*+)\S", re.MULTILINE)
_WORD: Final = re.compile(r"(?<![\w.$])[^\W\d]\w*")
_BARE_HEAD: Final = re.compile(r"\W*(?:try|else|do|finally|loop|default|static|unsafe)?\W*")
_BRACKETS: Final = {"}": "{", ")": "(", "]": "["}


class UnevenError(Exception):
    """The outermost lines of a Python text begin in different columns."""


@dataclass(slots=True)
class _Item:
    """What is kept or dropped together in a block: a statement and what leads to it."""

    begin: int
    end: int
    node: Node | None = None
    """The statement; None while only comments were met."""
    alone: bool = True
    """Nothing but marks and comments shares its lines."""
    decorated: bool = False
    """A decorator is waiting for what it decorates."""


@dataclass(slots=True)
class _Block:
    """A node that is opened."""

    node: Node
    members: Sequence[Node]
    closer: int
    """Where its closing line begins, or -1."""


class Outline:
    """A walk over a syntax tree that collects where units begin."""

    def __init__(self, text: str, language: Language) -> None:
        self._text = text
        self._language = language
        self._shift = len(language.wrapper[0])
        self._lines = {match.end(1): match.start() for match in _LINE.finditer(text)}
        """Beginnings of lines by where their code begins."""
        self._starts: list[int] = []
        self._frames: list[bool] = []
        self._needs: list[set[int]] = []
        self._names: dict[str, list[int]] = {}
        """Imports by the names that they bind, at most `_IMPORTS` of each."""
        self._silent: set[int] = set()
        """Units that use no names: imports, comments, docstrings."""
        self._depth = 0

    def units(self, nodes: Sequence[Node]) -> list[Unit]:
        """All units of a text whose outermost nodes are given. Raises UnevenError."""
        items = self._items(self._flat(nodes))
        uneven = len({self._indent(item) for item in items}) > 1 or items[0].begin != next(iter(self._lines))
        if self._language.join is Join.PYTHON and uneven:
            raise UnevenError
        for item in items:
            self._add_item(item, None)
        self._bind_names()
        text = self._text
        ends = [*self._starts[1:], len(text)]
        return [
            Unit(start, start + len(text[start:end].rstrip()), self._language.join, frame, tuple(sorted(needs)))
            for start, end, frame, needs in zip(self._starts, ends, self._frames, self._needs, strict=True)
        ]

    def _bind_names(self) -> None:
        if not self._names:
            return
        for index, start in enumerate(self._starts):
            if index not in self._silent:
                end = self._starts[index + 1] if index + 1 < len(self._starts) else len(self._text)
                for word in set(_WORD.findall(self._text, start, end)) & self._names.keys():
                    self._needs[index].update(self._names[word])

    def _add(self, begin: int, above: int | None, *, frame: bool = False) -> int:
        self._starts.append(begin)
        self._frames.append(frame)
        self._needs.append(set() if above is None else {above})
        return len(self._starts) - 1

    def _add_item(self, item: _Item, above: int | None) -> None:
        node = item.node
        begin = self._lines[item.begin]
        blocks: list[_Block] = []
        if node is not None and item.alone and item.end - item.begin > WHOLE and self._depth < _DEEPEST:
            blocks = self._blocks(node)
        if blocks and node is not None:
            self._add_compound(begin, node, blocks, above)
            return
        index = self._add(begin, above)
        if node is None or (node.type == "expression_statement" and node.children[0].type == "string"):
            self._silent.add(index)
        elif node.type in self._language.imports:
            self._silent.add(index)
            for name in self._language.names(self._text_of(node)):
                if len(binding := self._names.setdefault(name, [])) < _IMPORTS:
                    binding.append(index)

    def _add_compound(self, begin: int, node: Node, blocks: Sequence[_Block], above: int | None) -> None:
        head = self._add(begin, above)
        spine: list[int] = []
        for block in blocks:
            self._depth += 1
            for item in self._items(block.members):
                self._add_item(item, head)
            self._depth -= 1
            following = block.closer if block.closer >= 0 else self._following(block.node, node)
            if following >= 0:
                spine.append(self._add(self._lines[following], head, frame=True))
        self._needs[head].update(spine)
        first = self._starts[head + 1] if head + 1 < len(self._starts) else len(self._text)
        self._frames[head] = bool(_BARE_HEAD.fullmatch(self._text, self._starts[head], first))

    def _items(self, nodes: Sequence[Node]) -> list[_Item]:
        """The statements of a block, with the comments and decorators above them."""
        items: list[_Item] = []
        for node in nodes:
            begin, end = node.start_byte - self._shift, node.end_byte - self._shift
            lead = node.type in self._language.leading
            last = items[-1] if items else None
            if last is not None and (begin not in self._lines or not node.is_named):
                last.end = end
                if node.is_named and not lead:
                    last.alone = last.node is None
                    last.node = last.node or node
            elif last is not None and last.node is None and self._leads(last, node, begin):
                last.end = end
                last.node = None if lead else node
                last.decorated = last.decorated or node.type == "decorator"
            else:
                items.append(_Item(begin, end, None if lead else node, decorated=node.type == "decorator"))
        if self._language.join is Join.PYTHON:
            # A comment in a column of its own belongs to what is above: a mark in its column would not parse.
            column = next((self._indent(item) for item in items if item.node is not None), None)
            items = [item for item in items if item.node is not None or column in {None, self._indent(item)}]
        return items

    def _leads(self, last: _Item, node: Node, begin: int) -> bool:
        """Whether comments belong to the node behind them."""
        if last.decorated:
            return True
        between = self._text[last.end : begin]
        column = self._text[self._lines[begin] : begin]
        return between.count("\n") < 2 and last.end - last.begin <= _LONGEST_LEAD and column == self._indent(last)  # noqa: PLR2004

    def _indent(self, item: _Item) -> str:
        return self._text[self._lines[item.begin] : item.begin]

    def _flat(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes that have a text, with the children of those that have no meaning of their own."""
        found: list[Node] = []
        for node in nodes:
            if node.type in self._language.transparent:
                found.extend(self._flat(node.children))
            elif self._text_of(node).strip():
                found.append(node)
        return found

    def _blocks(self, node: Node) -> list[_Block]:
        """The outermost blocks in a node that can be opened, in order."""
        if node.type in self._language.cases:
            colons = [index for index, child in enumerate(node.children) if child.type == ":"]
            block = self._block(node, node.children[colons[-1] + 1 :], -1) if colons else None
            return [] if block is None else [block]
        found: list[_Block] = []
        waiting = [node]
        while waiting:
            inner = waiting.pop()
            if inner.end_byte - inner.start_byte < _LEAST_BLOCK:
                continue
            block = self._bracketed(inner) if inner.type in self._language.blocks else None
            if block is not None:
                found.append(block)
            else:
                waiting.extend(reversed(inner.children))
        return found

    def _bracketed(self, node: Node) -> _Block | None:
        """The node as a block: between brackets, or indented."""
        children = node.children
        if self._language.join is Join.PYTHON:
            # Between the cases of a match no mark would parse.
            return None if any(child.type == "case_clause" for child in children) else self._block(node, children, -1)
        types = [child.type for child in children]
        opener = _BRACKETS.get(types[-1]) if types else None
        if opener not in types or (node.type == "const_declaration" and self._language.counted in self._text_of(node)):
            return None
        closer = children[-1].start_byte - self._shift
        return self._block(node, children[types.index(opener) + 1 : -1], closer) if closer in self._lines else None

    def _block(self, node: Node, members: Sequence[Node], closer: int) -> _Block | None:
        """A block, if its members share no line with what is before them."""
        members = self._flat(members)
        first = 0
        while (
            first < len(members) and members[first].type in self._language.leading and not self._opens(members[first])
        ):
            first += 1
        members = members[first:]
        return _Block(node, members, closer) if members and self._opens(members[0]) else None

    def _text_of(self, node: Node) -> str:
        return self._text[node.start_byte - self._shift : node.end_byte - self._shift]

    def _opens(self, node: Node) -> bool:
        return node.start_byte - self._shift in self._lines

    def _following(self, node: Node, outermost: Node) -> int:
        """Where the clause behind a block without brackets begins, in the same compound; -1: it is the last one."""
        while node != outermost:
            sibling = node.next_sibling
            while sibling is not None and sibling.type in self._language.leading:
                sibling = sibling.next_sibling
            if sibling is not None:
                return sibling.start_byte - self._shift
            parent = node.parent
            if parent is None:
                return -1
            node = parent
        return -1
