"""The model on this machine, off the event loop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from services.chassis.work import on_thread
from services.selector.passage import EmbeddingModel
from services.text.encoder import EncodeInput
from services.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.selector.passage import Passage
    from services.text.encoder import Encoder


class LocalEmbedder:
    """Implements `Embedder` by the packaged encoder; questions do not wait behind passages."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._questions = ThreadPoolExecutor(1, thread_name_prefix="question-encoder")
        self._passages = ThreadPoolExecutor(1, thread_name_prefix="passage-encoder")

    @property
    def model(self) -> EmbeddingModel:
        """See `Embedder.model`."""
        return EmbeddingModel(self._encoder.model_id, self._encoder.dimension)

    async def embed_question(self, question: str) -> NDArray[np.float32]:
        """See `Embedder.embed_question`."""
        vector: NDArray[np.float32] = (await on_thread(self._questions, self._encoder.encode, [question]))[0]
        return vector

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """See `Embedder.embed_passages`: the vectors that ingestion makes."""
        return await on_thread(self._passages, self._embed, passages)

    def _embed(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        inputs = [EncodeInput(" > ".join(p.title_path), p.text, split_sentences(p.text)) for p in passages]
        empty = np.empty((0, self._encoder.dimension), np.float32)
        return np.stack([vectors.passage for vectors in self._encoder.encode_passages(inputs)]) if inputs else empty

    def close(self) -> None:
        """End the threads."""
        self._questions.shutdown(cancel_futures=True)
        self._passages.shutdown(cancel_futures=True)
