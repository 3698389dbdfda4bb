"""Source code to a syntax tree, within bounds.

A tree has places in bytes, a passage in code points. So the parser is given a copy of the text in which every
character outside ASCII is a letter or a space: in that copy both are the same, and no character can break it. Names are
read from the text itself.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from tree_sitter import Language as Grammar
from tree_sitter import Parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Tree

PARSED = 300_000
"""Characters beyond which no tree is built: one takes 50 bytes of memory a character, and 500 on bad input."""

_OPERATIONS = 3
"""Operations of the parser a character. Code takes 0.6, minified code 1.8; where the grammar is ambiguous at every
character, recovery takes any number, with memory for each."""
_SHORT_TEXT = 50_000
"""Operations that even a short text may take."""
_OPERATIONS_A_CALL = 100
"""After how many the parser asks whether to go on. It holds the interpreter in between, for some milliseconds."""
_PIECE = 1 << 16

_FOREIGN_SPACE = re.compile(r"[^\S\x00-\x7f]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


def parse(text: str, start: int, grammars: tuple[Callable[[], object], ...]) -> Tree | None:
    """The tree of `text[start:]` with the text's own code points as places; None where it is beyond the bounds.

    Of several grammars the first that finds no error is taken, or else the first.
    """
    if len(text) - start > PARSED:
        return None
    code = (" " * start + _FOREIGN.sub("x", _FOREIGN_SPACE.sub(" ", text[start:]))).encode("ascii")
    best: Tree | None = None
    for grammar in grammars:
        tree = _parse(code, _grammar(grammar))
        if tree is not None and not tree.root_node.has_error:
            return tree
        best = best or tree
    return best


@cache
def _grammar(function: Callable[[], object]) -> Grammar:
    return Grammar(function())


def _parse(code: bytes, grammar: Grammar) -> Tree | None:
    calls = (len(code) * _OPERATIONS + _SHORT_TEXT) // _OPERATIONS_A_CALL

    def spent(_offset: int, _has_error: bool) -> bool:
        nonlocal calls
        calls -= 1
        return calls < 0

    try:
        return Parser(grammar).parse(
            lambda offset, _point: code[offset : offset + _PIECE], encoding="utf8", progress_callback=spent
        )
    except ValueError:  # all it says where it was told to stop
        if calls < 0:
            return None
        raise
