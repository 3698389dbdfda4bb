"""Stores documents with vectors of the model that their corpus is searched by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from services.selector.errors import EmbeddingModelMismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.caller import Caller
    from services.selector.embedding.embedder import Embedder
    from services.selector.embedding.embedders import Embedders
    from services.selector.passage import IndexedDocument
    from services.selector.ports import Store
    from services.selector.query import Written


class Indexer:
    """Documents come with vectors of the local model, which cost nothing more than their preparation."""

    def __init__(self, store: Store, embedders: Embedders) -> None:
        self._store = store
        self._embedders = embedders

    async def index(self, tenant: str, documents: Sequence[IndexedDocument], caller: Caller) -> Written:
        """Store them.

        Raises what `Store.index` does, and `EmbedderUnavailableError`; `EmbeddingModelMismatchError` only where the
        corpus's model is not configured here.
        """
        stored = await self._store.model(tenant)
        embedder = self._embedders.preferred if stored is None else self._embedders.find(stored)
        if embedder is None:
            assert stored is not None, "only a stored model may be unknown"
            raise EmbeddingModelMismatchError(tenant, stored, self._embedders.preferred.model)
        try:
            return await self._index(tenant, documents, embedder, caller)
        except EmbeddingModelMismatchError as error:
            # The corpus got its model, or moved to another, since it was asked.
            other = self._embedders.find(error.stored)
            if other is None or other is embedder:
                raise
            return await self._index(tenant, documents, other, caller)

    async def _index(
        self, tenant: str, documents: Sequence[IndexedDocument], embedder: Embedder, caller: Caller
    ) -> Written:
        if embedder.model != self._embedders.local.model:
            vectors = await embedder.embed_passages([p for document in documents for p in document.passages])
            bounds = np.cumsum([len(document.passages) for document in documents])[:-1]
            documents = [
                replace(document, vectors=part)
                for document, part in zip(documents, np.split(vectors, bounds), strict=True)
            ]
        return await self._store.index(tenant, documents, embedder.model, caller)
