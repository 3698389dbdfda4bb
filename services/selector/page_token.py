"""Page tokens of listings in the order of ids: the last id that was listed, and the source that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.chassis.page_token import ForeignPageTokenError, last_listed, page_token
from services.selector.errors import InvalidPageTokenError
from services.selector.query import DocumentPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.passage import Document


def listed_after(token: str, source: str) -> str:
    """The id after which a page begins; empty for the first. Raises `InvalidPageTokenError`."""
    try:
        return last_listed(token, source)
    except ForeignPageTokenError as error:
        raise InvalidPageTokenError(str(error)) from error


def page_of(found: Sequence[Document], page_size: int, source: str) -> DocumentPage:
    """A page of what was found, which is one record more than fits where there is a page after it."""
    documents = found[:page_size]
    if len(found) <= page_size:
        return DocumentPage(documents, "")
    return DocumentPage(documents, page_token(source, documents[-1].document_id))
