"""A model behind an OpenAI-compatible API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
from openai import OpenAIError

from services.chassis.breaker import Breaker, BreakerOpenError
from services.selector.embedding.embedder import EmbedderUnavailableError
from services.selector.passage import EmbeddingModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from openai import AsyncOpenAI

    from services.selector.passage import Passage

_BATCH = 64
"""Texts of one call."""
_CALLS = 4
"""Calls under way for one request: providers limit the rate, and more only earns refusals."""


class RemoteEmbedder:
    """Implements `Embedder`. The client retries what is worth retrying, within its timeout.

    Args:
        client: knows URL, key, timeout and retries.
        name: the model's name at the provider.
        dimension: of its vectors; another one in a reply is an error, not a surprise in the corpus.
    """

    def __init__(self, client: AsyncOpenAI, name: str, dimension: int) -> None:
        self._client = client
        self._name = name
        self._dimension = dimension
        self._breaker = Breaker("embeddings")

    @property
    def model(self) -> EmbeddingModel:
        """See `Embedder.model`."""
        return EmbeddingModel(self._name, self._dimension)

    async def embed_question(self, question: str) -> NDArray[np.float32]:
        """See `Embedder.embed_question`."""
        vector: NDArray[np.float32] = (await self._embed([question]))[0]
        return vector

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """See `Embedder.embed_passages`."""
        texts = ["\n".join((" > ".join(passage.title_path), passage.text)) for passage in passages]
        turn = asyncio.Semaphore(_CALLS)

        async def embed(batch: list[str]) -> NDArray[np.float32]:
            async with turn:
                return await self._embed(batch)

        batches = [texts[at : at + _BATCH] for at in range(0, len(texts), _BATCH)]
        empty = np.empty((0, self._dimension), np.float32)
        return np.concatenate([empty, *await asyncio.gather(*map(embed, batches))])

    async def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        try:
            with self._breaker.calling():
                response = await self._client.embeddings.create(model=self._name, input=texts, encoding_format="float")
        except (OpenAIError, BreakerOpenError) as error:
            # The name alone: the text of such an error may quote what was sent.
            raise EmbedderUnavailableError(f"model {self._name!r}: {type(error).__name__}") from error
        rows = sorted(response.data, key=lambda item: item.index)
        vectors = np.array([item.embedding for item in rows], np.float32)
        if vectors.shape != (len(texts), self._dimension):
            raise EmbedderUnavailableError(
                f"model {self._name!r} answered vectors of shape {vectors.shape} for {len(texts)} texts of "
                f"{self._dimension} dimensions"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(lengths > 0):
            raise EmbedderUnavailableError(f"model {self._name!r} answered a vector without a direction")
        unit: NDArray[np.float32] = vectors / lengths
        return unit
