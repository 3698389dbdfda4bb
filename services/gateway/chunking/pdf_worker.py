"""A process that reads one PDF by PDFium and ends: the PDF on standard input, what it says as JSON on standard output.

    python -P pdf_worker.py MAX_PAGES MAX_CHARACTERS MAX_BYTES

It prints `{"title", "pages": [TEXT], "outline": [[PAGE, DEPTH, NAME]]}` with pages from 0 and depths from 1, or
`{"fault": "is ..."}`. It imports nothing of this project, so that it starts fast, and holds itself to MAX_BYTES of
memory (on Linux): a few kilobytes of PDF may unpack to gigabytes.
"""

from __future__ import annotations

import json
import resource
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

from pypdfium2 import PdfDocument, PdfiumError
from pypdfium2.raw import FPDF_ERR_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_HEADINGS = 10_000
_MAX_DEPTH = 6


class _BeyondBoundsError(Exception):
    pass


def _read(content: bytes, max_pages: int, max_characters: int) -> dict[str, Any]:
    try:
        document = PdfDocument(content)
    except PdfiumError as error:
        locked = error.err_code == FPDF_ERR_PASSWORD
        return {"fault": "is locked with a password" if locked else "cannot be read as a PDF"}
    try:
        return {
            "title": document.get_metadata_value("Title"),
            "pages": list(_pages(document, max_pages, max_characters)),
            "outline": list(_outline(document)),
        }
    except PdfiumError:
        return {"fault": "is a broken PDF"}
    except _BeyondBoundsError as error:
        return {"fault": str(error)}


def _pages(document: PdfDocument, max_pages: int, max_characters: int) -> Iterator[str]:
    """What is to be seen of each page; not what lies outside it."""
    count = len(document)
    if count > max_pages:
        raise _BeyondBoundsError(f"has {count} pages, more than {max_pages}")
    length = 0
    for index in range(count):
        page = document[index]
        text_page = page.get_textpage()
        text: str = text_page.get_text_bounded()
        text_page.close()
        page.close()
        length += len(text)
        if length > max_characters:
            raise _BeyondBoundsError(f"has more than {max_characters} characters of text")
        yield text


def _outline(document: PdfDocument) -> Iterator[tuple[int, int, str]]:
    for bookmark in islice(document.get_toc(max_depth=_MAX_DEPTH), _MAX_HEADINGS):
        destination = bookmark.get_dest()
        page = destination.get_index() if destination is not None else None
        if page is not None:
            yield page, bookmark.level + 1, bookmark.get_title()


def _main() -> None:
    max_pages, max_characters, max_bytes = map(int, sys.argv[1:])
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
    json.dump(_read(sys.stdin.buffer.read(), max_pages, max_characters), sys.stdout)


if __name__ == "__main__":
    _main()
