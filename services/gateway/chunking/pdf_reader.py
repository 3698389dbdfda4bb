"""PDF to text, in a process of its own: one that takes too much time or memory, or crashes, costs its document only."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from services.gateway.chunking.document import heading_text
from services.gateway.chunking.errors import ChunkingError, ChunkingReason

PAGE_BREAK = "\f"

_WORKER = Path(__file__).with_name("pdf_worker.py")
_LINE_END = re.compile(r"\r\n?")
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""PDFium joins a word that a line's end parts, and leaves U+0002 in the place of its hyphen."""


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """What a PDF may take."""

    pages: int = 5_000
    characters: int = 4 * 1024 * 1024
    """As much text as the largest document of any other format has."""
    seconds: float = 20.0
    """A page of prose takes some milliseconds."""
    memory: int = 1024 * 1024 * 1024
    """Bytes of the process that reads it."""


class PageHeading(NamedTuple):
    """An entry of the document's outline."""

    position: int
    """Where it stands in the text; the start of its page where the page does not repeat it."""
    depth: int
    """1 to 6."""
    name: str


class PdfText(NamedTuple):
    """What a PDF says."""

    title: str
    """Of its properties; may be empty."""
    text: str
    """The pages' text, a form feed between two of them."""
    pages: list[int]
    """Where each page begins."""
    headings: list[PageHeading]
    """In the order of the text; empty without an outline."""


def read_pdf(content: bytes, limits: PdfLimits = PdfLimits()) -> PdfText:
    """Blocking. Raises ChunkingError UNREADABLE_DOCUMENT: broken, locked with a password, or beyond the limits."""
    found = _run(content, limits)
    outline: dict[int, list[tuple[int, str]]] = {}
    for page, depth, name in found["outline"]:
        if plain := heading_text(_plain(name)):
            outline.setdefault(page, []).append((depth, plain))
    pages = [_plain(page) for page in found["pages"]]
    starts: list[int] = []
    headings: list[PageHeading] = []
    position = 0
    for index, text in enumerate(pages):
        starts.append(position)
        headings.extend(_placed(text, position, outline.get(index, [])))
        position += len(text) + len(PAGE_BREAK)
    return PdfText(heading_text(_plain(found["title"])), PAGE_BREAK.join(pages), starts, headings)


def _run(content: bytes, limits: PdfLimits) -> dict[str, Any]:
    """What the worker found. Its standard error is not read: it may hold text of the document."""
    bounds = map(str, (limits.pages, limits.characters, limits.memory))
    try:
        # -P: the modules beside the worker must not hide those of the standard library.
        done = subprocess.run(  # noqa: S603  # our own program and numbers
            [sys.executable, "-P", str(_WORKER), *bounds],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.seconds,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreadable(f"takes more than {limits.seconds:g} s to read") from error
    except subprocess.CalledProcessError as error:
        raise _unreadable(f"is broken, or takes more than {limits.memory >> 20} MiB to read") from error
    found: dict[str, Any] = json.loads(done.stdout)
    if "fault" in found:
        raise _unreadable(found["fault"])
    return found


def _placed(page: str, start: int, outline: list[tuple[int, str]]) -> list[PageHeading]:
    headings: list[PageHeading] = []
    here = 0
    for depth, name in outline:
        words = re.compile(r"\s+".join(map(re.escape, name.split())), re.IGNORECASE)
        if match := words.search(page, here):
            here = match.start()
        headings.append(PageHeading(start + here, depth, name))
    return headings


def _plain(text: str) -> str:
    """Text with line feeds, whole words, and nothing that UTF-8 or a text cannot hold."""
    return _UNSTORABLE.sub("", _LINE_END.sub("\n", text))


def _unreadable(what: str) -> ChunkingError:
    return ChunkingError(ChunkingReason.UNREADABLE_DOCUMENT, f"The document {what}.")
