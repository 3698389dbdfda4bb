"""Vectors of questions, off the event loop."""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from services.selector.passage import EmbeddingModel
from services.text.encoder import Encoder

_REMEMBERED = 2_048
"""Questions whose vectors are kept: 3 MB."""


class QuestionEncoder:
    """Encodes questions one at a time and remembers the latest.

    One at a time, since the quantised model scales its numbers by the whole batch: in company, the same question would
    get a slightly different vector, and so another answer.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="question-encoder")
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    @property
    def model(self) -> EmbeddingModel:
        """The model of the vectors."""
        return EmbeddingModel(self._encoder.model_id, self._encoder.dimension)

    async def encode(self, question: str) -> NDArray[np.float32]:
        """The unit vector of a question, shape (dimension,)."""
        known = self._vectors.get(question)
        if known is not None:
            self._vectors.move_to_end(question)
            return known
        loop = asyncio.get_running_loop()
        vector: NDArray[np.float32] = (await loop.run_in_executor(self._thread, self._encoder.encode, [question]))[0]
        self._vectors[question] = vector
        if len(self._vectors) > _REMEMBERED:
            self._vectors.popitem(last=False)
        return vector

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(cancel_futures=True)
