"""What a document must be like to be indexed."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from services.selector.errors import InvalidDocumentError
from services.selector.passage import Document, IndexedDocument, Passage, SourceKind

RECORD = Document("a", "docs", SourceKind.DOCS, "Title", "text/plain", "h", 5)
FIRST, SECOND = (Passage(RECORD, ordinal, ("Title",), "text", 0, 4) for ordinal in (0, 1))
UNIT = np.eye(2, 4, dtype=np.float32)


def test_a_passage_is_named_after_its_document() -> None:
    assert SECOND.passage_id == "a#1"


@pytest.mark.parametrize(
    ("passages", "vectors", "message"),
    [
        pytest.param((SECOND, FIRST), UNIT, "numbered", id="order"),
        pytest.param((FIRST, FIRST), UNIT, "numbered", id="twice the same ordinal"),
        pytest.param(
            (FIRST, replace(SECOND, document=replace(RECORD, document_id="b"))), UNIT, "its own", id="foreign"
        ),
        pytest.param((FIRST,), UNIT, "shape", id="vectors without passages"),
        pytest.param((FIRST, SECOND), UNIT[0], "shape", id="a vector instead of a matrix"),
        pytest.param((FIRST, SECOND), 2 * UNIT, "unit length", id="too long"),
        pytest.param((FIRST, SECOND), 0 * UNIT, "unit length", id="zero"),
        pytest.param((FIRST, SECOND), np.nan * UNIT, "unit length", id="not a number"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(
    passages: tuple[Passage, ...], vectors: NDArray[np.float32], message: str
) -> None:
    with pytest.raises(InvalidDocumentError, match=message):
        IndexedDocument(RECORD, passages, vectors)


def test_a_moment_needs_its_zone() -> None:
    with pytest.raises(InvalidDocumentError, match="time zone"):
        replace(RECORD, created_at=datetime(2024, 1, 1))
