"""The names that an import binds, by language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

Names = Callable[[str], Iterator[str]]
"""From the text of an import to the names that it binds."""

_COMMENT: Final = re.compile(r"#[^\n]*")
_SPECIFIER: Final = re.compile(r"(?:[\w$]+\s+as\s+|\*\s*as\s+|\btype\s+)*([\w$]+)")
_GO_SPEC: Final = re.compile(r"(?:([\w.]+)[ \t]+)?[\"`]([^\"`\n]+)[\"`]")
_GO_VERSION: Final = re.compile(r"(?:/v\d+|\.v\d+)\Z")


def python_names(statement: str) -> Iterator[str]:
    """`import a.b` binds a, `from m import x as y` binds y."""
    source, _, targets = _COMMENT.sub("", statement).partition("import")
    if "__future__" in source:
        return
    for target in targets.translate({ord(mark): " " for mark in "()\\"}).split(","):
        words = target.split()
        if words:
            yield words[-1] if source.strip() or len(words) > 1 else words[0].partition(".")[0]


def go_names(statement: str) -> Iterator[str]:
    """`import "a/b"` binds b, `import c "a/b"` binds c."""
    for alias, path in _GO_SPEC.findall(statement):
        yield alias if alias and alias != "import" else _GO_VERSION.sub("", path).rpartition("/")[2]


def java_names(statement: str) -> Iterator[str]:
    """`import a.b.C;` binds C."""
    yield statement.rstrip("; \t\r\n").rpartition(".")[2]


def script_names(statement: str) -> Iterator[str]:
    """`import a, { b as c } from "m"` binds a and c."""
    clause, found, _ = statement.removeprefix("import").rpartition("from")
    if found:
        yield from _SPECIFIER.findall(clause)
