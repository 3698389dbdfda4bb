"""What can go wrong in the selector's corpus, as types; the servicer maps them to codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from services.selector.passage import EmbeddingModel


class StoreError(Exception):
    """The store could not do what was asked. Nothing was changed."""


class StoreBusyError(StoreError):
    """Another writer held the tenant's corpus for longer than the bounded wait; trying again is right."""


class StoreUnavailableError(StoreError):
    """The corpus cannot be reached: a full disk, a missing permission, an I/O error."""


class CorruptCorpusError(StoreError):
    """A tenant's database is damaged. It is left as it is; the other tenants are not touched."""

    def __init__(self, tenant: str, path: Path, reason: str) -> None:
        super().__init__(f"the corpus of tenant {tenant!r} is damaged: {path}: {reason}")
        self.tenant = tenant
        self.path = path


class UnsupportedSchemaError(StoreError):
    """A tenant's database was written by another version of this software, or is no corpus."""

    def __init__(self, tenant: str, path: Path | str, found: int, known: int) -> None:
        super().__init__(f"the corpus of tenant {tenant!r} has schema {found}, this version reads {known}: {path}")
        self.tenant = tenant
        self.path = path


class EmbeddingModelMismatchError(StoreError):
    """The vectors of the request and those of the corpus come from different models and cannot be compared."""

    def __init__(self, tenant: str, stored: EmbeddingModel, given: EmbeddingModel) -> None:
        super().__init__(f"the corpus of tenant {tenant!r} was indexed with {stored}, the request comes with {given}")
        self.tenant = tenant
        self.stored = stored
        self.given = given


class DocumentForbiddenError(StoreError):
    """The caller would replace a document that it may not see."""

    def __init__(self, document_id: str) -> None:
        super().__init__(f"document {document_id!r} belongs to groups that the caller is not in")
        self.document_id = document_id


class UnknownFilterKeyError(StoreError):
    """A condition names a metadata key that no document carries."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no document carries metadata under {key!r}")
        self.key = key


class InvalidTenantError(ValueError):
    """The tenant's name is not one."""


class InvalidDocumentError(ValueError):
    """A document contradicts itself: foreign or misnumbered passages, vectors missing or not of unit length."""


class InvalidPageTokenError(ValueError):
    """The page token was not made by a listing with these parameters."""
