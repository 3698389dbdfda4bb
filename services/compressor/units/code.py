"""Source code to units, if it parses in a language that is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.compressor.units.languages import languages_of, likely_languages
from services.compressor.units.outline import Outline, UnevenError
from services.text.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from services.compressor.units.languages import Language
    from services.compressor.units.unit import Join, Unit

_WORK: Final = 200_000
"""Characters to parse, over all languages that are tried, of which there are two at least."""
_LONE_RETURN: Final = re.compile(r"\r(?!\n)")


def split_code(text: str, languages: Sequence[Language] = ()) -> list[Unit] | None:
    """The units of a text that parses; None where it does not.

    Args:
        text: a file, or a part of one: its first lines may be indented.
        languages: the ones to try, in order; none: those that it looks like.
    """
    found = _read(text, languages or likely_languages(text)[: max(2, _WORK // max(1, len(text)))])
    if found is None:
        return None
    nodes, language = found
    try:
        return Outline(text, language).units(nodes)
    except UnevenError:
        return None


def parses(text: str, join: Join) -> bool:
    """Whether a text parses in a language whose statements stand as `join` says."""
    languages = languages_of(join)
    if len(languages) > 1:
        languages.sort(key=likely_languages(text).__contains__, reverse=True)
    return _read(text, languages) is not None


def _read(text: str, languages: Sequence[Language]) -> tuple[Sequence[Node], Language] | None:
    """The nodes of the outermost level in the first language that finds no error."""
    if not text.strip() or "\0" in text or _LONE_RETURN.search(text):
        return None
    for language in languages:
        before, behind = language.wrapper
        # In Go the last statement too ends with its line.
        tree = parse(f"{before}{text}\n{behind}", 0, (language.grammar,))
        if tree is None or tree.root_node.has_error:
            continue
        nodes = tree.root_node.children
        if before:
            body = nodes[0].child_by_field_name("body")
            if len(nodes) > 1 or body is None:
                continue
            nodes = body.children[1:-1]
        if nodes:
            return nodes, language
    return None
