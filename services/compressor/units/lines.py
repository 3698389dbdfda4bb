"""Code that parses in no known language to units: groups of lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.text.sentences import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]

_LINE: Final = re.compile(r"[^\r\n]+")
_OPENS_UNIT: Final = re.compile(
    r"\s*(?:@\w|#\[|(?:(?:pub|export|public|private|protected|static|final|abstract|async|default)\b[\w() ]*?\s)?"
    r"(?:def|class|func|fn|function|interface|struct|enum|impl|trait|type|module|namespace)\b)"
)
_LEADS_ON: Final = re.compile(r"\s*(?:@\w|#|//|/\*|\*|--)")
"""A decorator or a comment belongs to what follows."""
_SOFT_LENGTH: Final = 240
"""Characters behind which a group of lines ends at the next line that closes its brackets."""
_BRACKETS: Final = re.compile(r"[()\[\]]")


def split_lines(text: str) -> Iterator[Span]:
    """Code point spans of lines grouped by blank lines, definitions and brackets, none over `MAX_LENGTH`."""
    for start, end in _statements(text):
        yield from split_long(text, start, end)


def _statements(text: str) -> Iterator[Span]:
    """Groups of whole lines, indentation kept; a definition begins a group and keeps its decorators and comments."""
    start = end = -1
    depth = 0
    leading = False
    """All lines of the group so far are decorators and comments."""
    for line in _LINE.finditer(text):
        content = line[0]
        if not content.strip():
            continue
        parted = start >= 0 and _blank_line(text, end, line.start())
        full = start >= 0 and (line.end() - start > MAX_LENGTH or (depth <= 0 and end - start > _SOFT_LENGTH))
        opens = start >= 0 and not leading and depth <= 0 and bool(_OPENS_UNIT.match(content))
        if parted or full or opens:
            yield start, end
            start = -1
        if start < 0:
            start, depth, leading = line.start(), 0, True
        leading = leading and bool(_LEADS_ON.match(content))
        depth += sum(1 if bracket in "([" else -1 for bracket in _BRACKETS.findall(content))
        end = line.start() + len(content.rstrip())
    if start >= 0:
        yield start, end


def _blank_line(text: str, start: int, end: int) -> bool:
    """Whether the white space between two lines holds an empty one."""
    return text[start:end].replace("\r\n", "\n").replace("\r", "\n").count("\n") > 1


def split_long(text: str, start: int, end: int) -> Iterator[Span]:
    """Parts of at most `MAX_LENGTH`: a minified line is cut where it must be."""
    while end - start > MAX_LENGTH:
        cut = max(text.rfind(" ", start + MAX_LENGTH // 2, start + MAX_LENGTH), start + MAX_LENGTH // 2)
        if not text[cut].isspace():
            cut = start + MAX_LENGTH
        if text[start:cut].strip():
            yield start, start + len(text[start:cut].rstrip())
        start = cut + (len(text[cut:end]) - len(text[cut:end].lstrip()))
    if text[start:end].strip():
        yield start, end
