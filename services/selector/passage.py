"""Documents and their passages: what is stored and found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from services.selector.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

MAX_PASSAGES = 1 << 20
"""Passages of one document, at most."""
_UNIT_TOLERANCE = 1e-3


class SourceKind(StrEnum):
    """What a source holds. It decides how words and meaning are weighed."""

    DOCS = "docs"
    CODE = "code"
    HISTORY = "history"


class TrustLabel(StrEnum):
    """How far a text may be believed."""

    TRUSTED = "trusted"
    """The tenant vouches for it."""
    UNTRUSTED = "untrusted"
    """Anybody may have written it."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """Which model made a vector; vectors of different models cannot be compared."""

    model_id: str
    dimension: int

    def __str__(self) -> str:
        return f"model {self.model_id!r} of {self.dimension} dimensions"


@dataclass(frozen=True, slots=True)
class Document:
    """A document's record."""

    document_id: str
    source: str
    kind: SourceKind
    title: str
    content_type: str
    content_hash: str
    """Hash of everything that was sent; a document of the same id and hash is not indexed again."""
    size: int
    """Bytes of the content."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    """When it came into being, with its time zone; None where unknown."""
    acl_groups: tuple[str, ...] = ()
    """Groups that may see it; none: everybody of the tenant."""
    subjects: tuple[str, ...] = ()
    """Persons or things it is about, for erasure."""
    expires_at: datetime | None = None
    """From when on it is removed, with its time zone; None: never."""
    trust: TrustLabel = TrustLabel.UNTRUSTED
    passage_count: int = 0
    """Set by the store."""
    indexed_at: datetime | None = None
    """Set by the store."""

    def __post_init__(self) -> None:
        for name, moment in (("created_at", self.created_at), ("expires_at", self.expires_at)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidDocumentError(f"document {self.document_id!r}: {name} has no time zone")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that is found, compressed and cited as one."""

    document: Document
    ordinal: int
    """Position among the document's passages, from 0."""
    title_path: tuple[str, ...]
    """Titles from the document down to the passage's section; the document's own title first."""
    text: str
    start: int
    """First code point in the document's original text."""
    end: int
    """One past the last code point."""
    prepared: bytes = b""
    """What compression needs, computed at ingestion; opaque here."""
    sensitive: bytes = b""
    """The personal data and secrets that were found at ingestion; opaque here. Empty where nobody looked."""

    @property
    def passage_id(self) -> str:
        """Name of the passage, unique in its tenant."""
        return f"{self.document.document_id}#{self.ordinal}"


@dataclass(frozen=True, slots=True, eq=False)
class IndexedDocument:
    """A document, its passages and their vectors: the unit of writing."""

    document: Document
    passages: tuple[Passage, ...]
    """All of `document`, in order, ordinals from 0."""
    vectors: NDArray[np.float32]
    """Shape (passages, dimension), rows of unit length."""

    def __post_init__(self) -> None:
        name, count = self.document.document_id, len(self.passages)
        if count > MAX_PASSAGES:
            raise InvalidDocumentError(f"document {name!r}: {count} passages, at most {MAX_PASSAGES} are allowed")
        if any(p.ordinal != i or p.document.document_id != name for i, p in enumerate(self.passages)):
            raise InvalidDocumentError(f"document {name!r}: its passages must be its own, numbered from 0 in order")
        if self.vectors.ndim != 2 or len(self.vectors) != count:  # noqa: PLR2004 - a matrix has two axes
            raise InvalidDocumentError(f"document {name!r}: vectors of shape {self.vectors.shape} for {count} passages")
        # Written so that NaN fails too.
        if not np.all(np.abs(np.linalg.norm(self.vectors, axis=1) - 1) < _UNIT_TOLERANCE):
            raise InvalidDocumentError(f"document {name!r}: a vector is not of unit length")


def check_dimension(documents: Iterable[IndexedDocument], model: EmbeddingModel) -> None:
    """Raise `InvalidDocumentError` where vectors are not of the model."""
    for indexed in documents:
        if indexed.vectors.shape[1] != model.dimension:
            raise InvalidDocumentError(f"document {indexed.document.document_id!r}: its vectors are not of {model}")
