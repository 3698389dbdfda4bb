"""Conversations to units: turns, of which no part stands without its speaker.

A passage holds turns as `speaker: text` or `speaker (time): text`. A line inside of a turn may look like the beginning
of one ("Note: ..."): what stands in it needs both labels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from services.compressor.units.json_members import split_json
from services.compressor.units.markdown import find_fences, split_markdown
from services.compressor.units.nesting import nest
from services.compressor.units.unit import Join, Unit
from services.text.sentences import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABEL: Final = re.compile(
    r"""^[ \t]*+(?P<label>
      (?P<name>[^\s:()`|>#*\[{"'-][^\s:()]*+(?:[ ][^\s:()]++){0,3})
      (?P<time>[ ]\([^()\n]{1,40}\))?
    :)(?=\s|\Z)""",
    re.VERBOSE | re.MULTILINE,
)
_ROLES: Final = frozenset(
    {
        "agent",
        "ai",
        "assistant",
        "bot",
        "customer",
        "developer",
        "function",
        "human",
        "model",
        "support",
        "system",
        "tool",
        "user",
    }
)
_NO_SPEAKERS: Final = frozenset(
    {
        "answer",
        "caution",
        "error",
        "example",
        "hint",
        "important",
        "info",
        "note",
        "question",
        "result",
        "step",
        "tip",
        "todo",
        "warning",
    }
)


class _Piece(NamedTuple):
    """A turn, or a part of one that begins as if it were a turn."""

    start: int
    content: int
    """Where its label ends."""
    end: int
    certain: bool
    """It is a turn."""


def split_turns(text: str) -> list[Unit]:
    """The units of a passage of a conversation."""
    units: list[Unit] = []
    pieces = list(_pieces(text))
    nest(units, _split_content(text[: pieces[0].start] if pieces else text), 0)
    speaker: int | None = None
    for index, piece in enumerate(pieces):
        above = None if piece.certain else speaker
        goes_on = piece.certain and index + 1 < len(pieces) and not pieces[index + 1].certain
        content = text[piece.start : piece.end].rstrip()
        if piece.certain:
            speaker = len(units)
        if not goes_on and len(content) <= MAX_LENGTH and "\n" not in content:
            nest(units, [Unit(0, len(content), Join.LINE)], piece.start, above)
            continue
        label = len(units)
        nest(units, [Unit(0, piece.content - piece.start, Join.LINE, frame=True)], piece.start, above)
        nest(units, _split_content(text[piece.content : piece.end]), piece.content, label)
    return units


def _pieces(text: str) -> Iterator[_Piece]:
    fences = [(fence.start, fence.end) for fence in find_fences(text)]
    labels = []
    for match in _LABEL.finditer(text):
        while fences and fences[0][1] <= match.start():
            fences.pop(0)
        if not fences or match.start() < fences[0][0]:
            labels.append(match)
    behind = [match.start("label") for match in labels[1:]]
    for match, end in zip(labels, [*behind, len(text)], strict=False):
        first = match is labels[0] and not text[: match.start()].strip()
        yield _Piece(match.start("label"), match.end("label"), end, first or _is_speaker(match))


def _is_speaker(label: re.Match[str]) -> bool:
    words = label["name"].split()
    if label["time"] or label["name"].casefold() in _ROLES:
        return True
    return all(word[0].isupper() for word in words) and words[0].casefold() not in _NO_SPEAKERS


def _split_content(text: str) -> list[Unit]:
    return split_json(text) or split_markdown(text)
