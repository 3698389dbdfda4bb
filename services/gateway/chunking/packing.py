"""Sections to spans: the one algorithm behind all formats. Linear in the text and in the marks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from services.gateway.chunking.bounds import JOINED, PASSAGE, SMALL, Bounds
from services.gateway.chunking.section import Block, Mark, Section, Unit
from services.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BLANK_LINES = re.compile(r"\s*[\r\n]")
_WINDOW = 100_000
"""Characters whose sentences are sought at once: all the while, no other thread has its turn."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")


class Span(NamedTuple):
    """A passage: a stretch of the text and the titles above it."""

    title_path: tuple[str, ...]
    start: int
    end: int


def pack(text: str, sections: Iterable[Section], bounds: Bounds = PASSAGE) -> Iterator[Span]:
    """Passages in order, disjoint, none over `bounds.maximum`; what stands in a section and in none is white space.

    Cuts fall on marks first, then between sentences or lines. The passages of a section are of about the same length.
    """
    for group in _join_small(sections):
        held: tuple[int, int] | None = None
        for start, end in _fill(text, group, bounds):
            if held is None:
                held = start, end
            elif min(end - start, held[1] - held[0]) < SMALL and end - held[0] <= bounds.maximum:
                held = held[0], end
            else:
                yield Span(group.title_path, *held)
                held = start, end
        if held is not None:
            yield Span(group.title_path, *held)


@dataclass(slots=True)
class _Group:
    """Neighbouring sections that are packed as one."""

    title_path: tuple[str, ...]
    start: int
    end: int
    marks: list[Mark]
    unit: Unit
    heading_only: bool
    small: bool
    """Every section in it is."""


def _join_small(sections: Iterable[Section]) -> Iterator[_Group]:
    """A bare heading goes with what follows it; small siblings, or a parent and its child, share a passage."""
    held: _Group | None = None
    for section in sections:
        if held is None:
            held = _group(section)
        elif held.heading_only:
            held.title_path = section.title_path
            held.heading_only = section.heading_only
            held.small = section.end - section.start < SMALL
            held.end = section.end
            held.marks.extend(section.marks)
        elif (title_path := _joined(held, section)) is not None:
            held.title_path = title_path
            held.end = section.end
            held.marks.extend(section.marks)
        else:
            yield held
            held = _group(section)
    if held is not None:
        yield held


def _group(section: Section) -> _Group:
    small = section.end - section.start < SMALL
    return _Group(
        title_path=section.title_path,
        start=section.start,
        end=section.end,
        marks=list(section.marks),
        unit=section.unit,
        heading_only=section.heading_only,
        small=small,
    )


def _joined(held: _Group, section: Section) -> tuple[str, ...] | None:
    """The title path that two small sections share, if they are of one family and fit."""
    if (
        section.heading_only
        or not held.small
        or section.end - section.start >= SMALL
        or section.end - held.start > JOINED
    ):
        return None
    common = 0
    for ours, theirs in zip(held.title_path, section.title_path, strict=False):
        if ours != theirs:
            break
        common += 1
    if common < max(len(held.title_path), len(section.title_path)) - 1:
        return None
    return held.title_path[:common]


class _Atom(NamedTuple):
    """A stretch that is not cut any further, without outer white space (code keeps its first line's indentation)."""

    start: int
    end: int
    opens: bool = False
    """The first piece of a block that had to be cut."""


def _fill(text: str, group: _Group, bounds: Bounds) -> Iterator[tuple[int, int]]:
    """Atoms put together up to the length that divides what is left of the group evenly."""
    end = group.start + len(text[group.start : group.end].rstrip())
    start = stop = goal = -1
    for atom in _atoms(text, Block(group.start, end, group.unit), group.marks, bounds):
        if start >= 0:
            length, grown = stop - start, atom.end - start
            if grown <= bounds.maximum and grown - goal <= goal - length and not (atom.opens and length > goal // 2):
                stop = atom.end
                continue
            yield start, stop
        start, stop = atom.start, atom.end
        rest = end - start
        goal = rest if rest <= bounds.maximum else rest // -(-rest // bounds.target)
    if start >= 0:
        yield start, stop


def _atoms(text: str, whole: Block, marks: Sequence[Mark], bounds: Bounds) -> Iterator[_Atom]:
    for block in _blocks(whole, marks, bounds):
        start, end = _trim(text, block)
        if end - start > _limit(block.unit, bounds):
            pieces = _sentences if block.unit is Unit.PROSE else _lines
            for first, last in pieces(text, start, end, bounds):
                yield _Atom(first, last, opens=first == start)
        elif start < end:
            yield _Atom(start, end)


def _limit(unit: Unit, bounds: Bounds) -> int:
    return bounds.target if unit is Unit.PROSE else bounds.maximum


def _blocks(whole: Block, marks: Sequence[Mark], bounds: Bounds) -> Iterator[Block]:
    """The block itself, or, where it is too long, the blocks that its outermost marks make of it."""
    if whole.end - whole.start <= _limit(whole.unit, bounds) or not marks:
        yield whole
        return
    level = min(mark.level for mark in marks)
    tops = [index for index, mark in enumerate(marks) if mark.level == level]
    yield Block(whole.start, marks[tops[0]].position, whole.unit)
    for index, following in pairwise([*tops, len(marks)]):
        end = marks[following].position if following < len(marks) else whole.end
        yield from _blocks(Block(marks[index].position, end, marks[index].unit), marks[index + 1 : following], bounds)


def _trim(text: str, block: Block) -> tuple[int, int]:
    start, end = block.start, block.end
    if block.unit is Unit.LINES:
        if blank := _BLANK_LINES.match(text, start, end):
            start = blank.end()
        return start, start + len(text[start:end].rstrip())
    body = text[start:end]
    return start + len(body) - len(body.lstrip()), start + len(body.rstrip())


def _sentences(text: str, start: int, end: int, _: Bounds) -> Iterator[tuple[int, int]]:
    while end - start > _WINDOW:
        spans = split_sentences(text[start : start + _WINDOW])
        goes_on = spans.pop()[0] if len(spans) > 1 else _WINDOW
        yield from ((start + first, start + last) for first, last in spans)
        start += goes_on
    yield from ((start + first, start + last) for first, last in split_sentences(text[start:end]))


def _lines(text: str, start: int, end: int, bounds: Bounds) -> Iterator[tuple[int, int]]:
    while start < end:
        match = _LINE.match(text, start, end)
        stop = match.end() if match else end
        length = len(text[start:stop].rstrip())
        if length > bounds.maximum:
            yield from _sentences(text, start, stop, bounds)
        elif length:
            yield start, start + length
        start = stop
