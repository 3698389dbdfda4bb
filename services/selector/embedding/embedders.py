"""The models a selector can use, and the vectors of the latest questions."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from services.selector.embedding.embedder import Embedder
    from services.selector.passage import EmbeddingModel

_REMEMBERED = 2_048
"""Questions whose vectors are kept: 3 MB with the local model."""


class Embedders:
    """The local model, which made the prepared passages' vectors, and where configured remote ones for search.

    Args:
        local: always there.
        preferred: what corpora shall be searched by; those of another model are moved to it.
        others: models that corpora may still have.
    """

    def __init__(self, local: Embedder, preferred: Embedder, *others: Embedder) -> None:
        self.local: Final = local
        self.preferred: Final = preferred
        self._by_model = {embedder.model: embedder for embedder in (local, *others, preferred)}
        self._vectors: OrderedDict[tuple[EmbeddingModel, str], NDArray[np.float32]] = OrderedDict()

    def find(self, model: EmbeddingModel) -> Embedder | None:
        """Return what makes vectors of this model; None where it is not configured."""
        return self._by_model.get(model)

    async def embed_question(self, embedder: Embedder, question: str) -> NDArray[np.float32]:
        """Return the unit vector of a question, from memory where it was asked lately."""
        key = (embedder.model, question)
        known = self._vectors.get(key)
        if known is not None:
            self._vectors.move_to_end(key)
            return known
        vector = await embedder.embed_question(question)
        self._vectors[key] = vector
        if len(self._vectors) > _REMEMBERED:
            self._vectors.popitem(last=False)
        return vector
