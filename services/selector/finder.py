"""Finds passages for a question: the vector by the corpus's own model, then the store's search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.selector.errors import EmbeddingModelMismatchError
from services.selector.indexing import question_terms
from services.selector.query import Query
from services.selector.selection import rank

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.caller import Caller
    from services.selector.embedding.embedders import Embedders
    from services.selector.passage import EmbeddingModel
    from services.selector.ports import Store
    from services.selector.query import Condition, Selection, SourceQuery

_MANY_TENANTS = 100_000
"""Tenants whose model is remembered; beyond, all are forgotten, which costs each one more search."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found, and the question as compression reads it."""

    selection: Selection
    question_vector: NDArray[np.float32]
    """By the local model, whatever the corpus's: prepared passages are compared with it. Shape (dimension,)."""


class Finder:
    """Searches corpora, each by the model that it was made with."""

    def __init__(self, store: Store, embedders: Embedders, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._embedders = embedders
        self._clock = clock
        self._models: dict[str, EmbeddingModel] = {}

    async def find(
        self,
        tenant: str,
        question: str,
        sources: tuple[SourceQuery, ...],
        conditions: tuple[Condition, ...],
        caller: Caller,
    ) -> Found:
        """Search a tenant's sources.

        Raises what `Store.search` does, and `EmbedderUnavailableError`; `EmbeddingModelMismatchError` only where the
        corpus's model is not configured here.
        """

        async def search(model: EmbeddingModel) -> Selection:
            embedder = self._embedders.find(model) or self._embedders.preferred
            query = Query(
                terms=question_terms(question),
                vector=await self._embedders.embed_question(embedder, question),
                model_id=embedder.model.model_id,
                sources=sources,
                caller=caller,
                now=self._clock(),
                conditions=conditions,
            )
            return await self._store.search(tenant, query, rank)

        question_vector = await self._embedders.embed_question(self._embedders.local, question)
        model = self._models.get(tenant, self._embedders.preferred.model)
        try:
            selection = await search(model)
        except EmbeddingModelMismatchError as error:
            # Not the model it was thought to have: the corpus is being moved to another, or was a moment ago.
            if self._embedders.find(error.stored) is None:
                raise
            if len(self._models) >= _MANY_TENANTS:
                self._models.clear()
            self._models[tenant] = error.stored
            selection = await search(error.stored)
        return Found(selection, question_vector)
