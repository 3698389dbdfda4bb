"""What the selector needs of a store. All stores keep the same promises; tests/contract holds them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.passage import Document, EmbeddingModel, IndexedDocument
    from services.selector.query import Candidates, DocumentPage, Pick, Query, Selection


class Rank(Protocol):
    """Chooses among candidates: the part of a search that is the same for every store. Pure."""

    def __call__(self, candidates: Sequence[Candidates], /) -> Sequence[Pick]:
        """Return what to hand back, best first; `candidates` stand in the order of the query's sources."""


class Store(Protocol):
    """Holds the corpora of all tenants, each behind a wall. All methods raise `StoreError` and `InvalidTenantError`."""

    async def index(self, tenant: str, documents: Sequence[IndexedDocument], model: EmbeddingModel) -> int:
        """Store all of them or none and return the corpus version that includes them.

        A document of the same id is replaced at once, one with the same content hash too is left alone; of several with
        one id the last counts. When this returns, the documents are durable and every later search finds them.

        Raises `EmbeddingModelMismatchError` where the corpus has vectors of another model.
        """

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> tuple[list[str], int]:
        """Remove documents; return the ids of those that existed and the corpus version without them."""

    async def unchanged(self, tenant: str, fingerprints: Sequence[tuple[str, str]]) -> dict[str, int]:
        """Of the (document id, content hash) pairs, the ids stored with just this hash, and their passage counts."""

    async def get(self, tenant: str, document_id: str) -> Document | None:
        """Return a document's record."""

    async def list(self, tenant: str, *, source: str = "", page_token: str = "", page_size: int) -> DocumentPage:
        """Return records in the order of their ids, of one source or (empty) of all.

        A page token stays valid whatever is written meanwhile. Raises `InvalidPageTokenError`.
        """

    async def corpus_version(self, tenant: str) -> int:
        """Return a number that grows with every write that changes something; 0 where nothing was ever written."""

    async def search(self, tenant: str, query: Query, rank: Rank) -> Selection:
        """Find candidates, let `rank` choose, return what it chose, all from one state of the corpus.

        Raises `EmbeddingModelMismatchError` where the corpus has vectors of another model.
        """
