"""Conversations: JSON lines, one turn a line, cut between turns.

A turn is an object with `speaker` and `text`, and `time` if known (a string or a number); `role` and `content`, the
names of chat exports, do as well. A turn without text (a tool call, say) is left out.

A passage's text is not verbatim: it is the turns as `speaker (time): text`, one after the other. Its offsets are
those of the turns' lines in the original. A turn too long for a passage is cut between sentences, each part with its
speaker and the offsets of the whole line, so those passages overlap. A turn that asks something stays with the next
one where both fit.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from services.gateway.chunking.bounds import PASSAGE, Bounds
from services.gateway.chunking.document import Chunk, TextDocument, heading_text
from services.gateway.chunking.errors import ChunkingError, ChunkingReason
from services.gateway.chunking.packing import pack
from services.gateway.chunking.section import Mark, Section, Unit
from services.gateway.chunking.text import body

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUESTION = re.compile(r"\?(?=\s|\Z)")
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
"""What JSON may escape but UTF-8 or a text cannot hold."""


class _Turn(NamedTuple):
    speaker: str
    time: str
    text: str
    start: int
    end: int


class _Part(NamedTuple):
    """A turn, or a piece of a long one, as it is shown."""

    shown: str
    start: int
    end: int
    asks: bool


def chunk_conversation(document: TextDocument) -> Iterator[Chunk]:
    """Passages of neighbouring turns under the document's title. Raises ChunkingError MALFORMED_CONVERSATION."""
    parts = [part for turn in _turns(document.text) for part in _parts(turn)]
    marks: list[Mark] = []
    begins: dict[int, int] = {}
    ends: dict[int, int] = {}
    position = 0
    answered = True
    for part in parts:
        marks.extend(Mark(position, level, Unit.LINES) for level in (0, 1) if level or answered)
        begins[position] = part.start
        ends[position + len(part.shown)] = part.end
        position += len(part.shown) + 1
        answered = not part.asks
    shown = "\n".join(part.shown for part in parts)
    section = Section((document.title or document.document_id,), 0, len(shown), marks, Unit.LINES)
    for path, start, end in pack(shown, [section]):
        yield Chunk(path, shown[start:end], begins[start], ends[end])


def _turns(text: str) -> Iterator[_Turn]:
    start, _ = body(text)
    for number, line in enumerate(text[start:].split("\n"), 1):
        content = line.strip()
        if content:
            first = start + len(line) - len(line.lstrip())
            turn = _turn(content, number, first)
            if turn.text:
                yield turn
        start += len(line) + 1


def _turn(line: str, number: int, start: int) -> _Turn:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _malformed(number, "is not JSON") from error
    if not isinstance(fields, dict):
        raise _malformed(number, "is not a JSON object")
    speaker = fields.get("speaker", fields.get("role"))
    if not isinstance(speaker, str) or not speaker.strip():
        raise _malformed(number, "names no speaker (`speaker` or `role`)")
    text = fields.get("text", fields.get("content", ...))
    if text is not None and not isinstance(text, str):
        raise _malformed(number, "has no text (`text` or `content`)")
    time = fields.get("time")
    if isinstance(time, bool) or not isinstance(time, str | int | float | None):
        raise _malformed(number, "has a `time` that is neither a string nor a number")
    return _Turn(
        speaker=heading_text(_storable(speaker)),
        time="" if time is None else heading_text(_storable(str(time))),
        text=_storable(text or "").strip(),
        start=start,
        end=start + len(line),
    )


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _malformed(line: int, what: str) -> ChunkingError:
    return ChunkingError(ChunkingReason.MALFORMED_CONVERSATION, f"Line {line} {what}.", metadata={"line": str(line)})


def _parts(turn: _Turn) -> Iterator[_Part]:
    prefix = f"{turn.speaker} ({turn.time}): " if turn.time else f"{turn.speaker}: "
    room = Bounds(PASSAGE.target - len(prefix), PASSAGE.maximum - len(prefix))
    spans = list(pack(turn.text, [Section((), 0, len(turn.text), ())], room))
    for _, start, end in spans:
        part = turn.text[start:end]
        yield _Part(prefix + part, turn.start, turn.end, bool(_QUESTION.search(part)))
