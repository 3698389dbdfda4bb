"""What turns texts into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.passage import EmbeddingModel, Passage


class EmbedderUnavailableError(Exception):
    """The model cannot be reached; trying again may help."""


class Embedder(Protocol):
    """One embedding model. Both methods raise `EmbedderUnavailableError`."""

    @property
    def model(self) -> EmbeddingModel:
        """The model's name and dimension."""

    async def embed_question(self, question: str) -> NDArray[np.float32]:
        """Return the unit vector of a question, shape (dimension,)."""

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Return unit vectors, shape (passages, dimension); titles are read before the text."""
