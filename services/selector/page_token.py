"""Page tokens of listings in the order of ids: the last id that was listed, and the source that was asked for."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from services.selector.errors import InvalidPageTokenError
from services.selector.query import DocumentPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.passage import Document


def listed_after(token: str, source: str) -> str:
    """The id after which a page begins; empty for the first. Raises `InvalidPageTokenError`."""
    if not token:
        return ""
    try:
        of_source, _, document_id = urlsafe_b64decode(token.encode()).decode().partition("\n")
    except ValueError as error:
        raise InvalidPageTokenError("the page token was not made by this listing") from error
    if of_source != source or not document_id:
        raise InvalidPageTokenError("the page token belongs to a listing with other parameters")
    return document_id


def page_of(found: Sequence[Document], page_size: int, source: str) -> DocumentPage:
    """A page of what was found, which is one record more than fits where there is a page after it."""
    documents = found[:page_size]
    if len(found) <= page_size:
        return DocumentPage(documents, "")
    last = f"{source}\n{documents[-1].document_id}"
    return DocumentPage(documents, urlsafe_b64encode(last.encode()).decode())
