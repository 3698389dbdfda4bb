"""What the selector needs of a store. All stores keep the same promises; tests/contract holds them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.caller import Caller
    from services.selector.passage import Document, EmbeddingModel, IndexedDocument
    from services.selector.query import (
        Candidates,
        CorpusStats,
        DocumentPage,
        Pick,
        Query,
        Removal,
        Selection,
        StaleDocument,
        Written,
    )


class Rank(Protocol):
    """Chooses among candidates: the part of a search that is the same for every store. Pure."""

    def __call__(self, candidates: Sequence[Candidates], now: datetime, /) -> Sequence[Pick]:
        """Return what to hand back, best first; `candidates` stand in the order of the query's sources.

        A source that failed has no candidates.
        """


class Store(Protocol):
    """Holds the corpora of all tenants, each behind a wall. All methods raise `StoreError` and `InvalidTenantError`.

    A document that a caller may not see does not exist for it.
    """

    async def index(
        self, tenant: str, documents: Sequence[IndexedDocument], model: EmbeddingModel, caller: Caller
    ) -> Written:
        """Store all of them or none.

        A document of the same id is replaced at once: a search sees the old one or the new one, never both, never a
        part. One with the same content hash too is left alone; of several with one id the last counts. When this
        returns, the documents are durable and every later search finds them.

        Raises `EmbeddingModelMismatchError` where the corpus has vectors of another model, `DocumentForbiddenError`
        where an id belongs to a document that the caller may not see.
        """

    async def delete(self, tenant: str, document_ids: Sequence[str], caller: Caller) -> Removal:
        """Remove documents; ids that do not exist for the caller are passed over."""

    async def erase_subject(self, tenant: str, subject: str) -> Removal:
        """Remove every document that carries the subject, whoever may see it, with no trace left in the store's files.

        The corpus version grows even where there was none.
        """

    async def erase_tenant(self, tenant: str) -> Removal:
        """Remove all of a tenant, with no trace left. The corpus version, which grows, is the only thing kept."""

    async def remove_expired(self, tenant: str, now: datetime) -> Removal:
        """Remove documents whose time is over."""

    async def tenants(self) -> Sequence[str]:
        """Return the tenants that have a corpus, in order."""

    async def unchanged(self, tenant: str, fingerprints: Sequence[tuple[str, str]], caller: Caller) -> dict[str, int]:
        """Of the (document id, content hash) pairs, the ids stored with just this hash, and their passage counts."""

    async def get(self, tenant: str, document_id: str, caller: Caller) -> Document | None:
        """Return a document's record."""

    async def list(
        self, tenant: str, caller: Caller, *, source: str = "", page_token: str = "", page_size: int
    ) -> DocumentPage:
        """Return records in the order of their ids (of their UTF-8 bytes), of one source or (empty) of all.

        A page token stays valid whatever is written meanwhile. Raises `InvalidPageTokenError`.
        """

    async def stats(self, tenant: str, caller: Caller) -> CorpusStats:
        """Count what the caller may see."""

    async def corpus_version(self, tenant: str) -> int:
        """Return a number that grows with every write that changes something; 0 where nothing was ever written."""

    async def model(self, tenant: str) -> EmbeddingModel | None:
        """Return the model of the tenant's vectors; None where there are none."""

    async def search(self, tenant: str, query: Query, rank: Rank) -> Selection:
        """Find candidates, let `rank` choose, return what it chose, all from one state of the corpus.

        A source that fails or is late is named in `Selection.sources` and the others answer; only where all fail is
        `StoreError` raised. Raises `EmbeddingModelMismatchError` where the corpus has vectors of another model,
        `UnknownFilterKeyError` where no document the caller may see carries the key of a condition, though there are
        documents.
        """

    async def stale(self, tenant: str, model: EmbeddingModel, limit: int) -> Sequence[StaleDocument]:
        """Return at most `limit` documents, in the order of their ids, that have no vectors of this model yet."""

    async def add_vectors(
        self, tenant: str, model: EmbeddingModel, vectors: Sequence[tuple[StaleDocument, NDArray[np.float32]]]
    ) -> None:
        """Keep vectors of another model beside those in use; those of a document that changed meanwhile are dropped."""

    async def adopt(self, tenant: str, model: EmbeddingModel) -> bool:
        """Make the model the corpus's own, at once, where no document is stale any more; tell whether it is so now."""
