"""Prepares passages off the event loop, behind the requests that somebody waits for."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.chassis.work import checkpoint, on_thread
from services.compressor.prepare import prepare
from services.compressor.prepared import COUNTED_ENCODINGS, pack
from services.compressor.raw import cut_or_whole
from services.compressor.units.unit import Unit
from services.text.encoder import EncodeInput, Encoder, PassageVectors
from services.text.tokens import encoding_for

_NICENESS = 10


@dataclass(frozen=True, slots=True)
class RawPassage:
    """A passage to prepare."""

    title: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is stored with a passage."""

    signals: bytes
    """For Compress; opaque to everybody else."""

    vector: bytes
    """The passage's vector: little-endian 32-bit floats."""


class Preparation:
    """One thread with the encoder. ONNX Runtime lets go of the interpreter while it computes: the loop stays free."""

    def __init__(self, encoder: Encoder) -> None:
        self.model_id = encoder.model_id
        self._encoder = encoder
        self._encodings = [encoding_for(name) for name in COUNTED_ENCODINGS]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="preparation", initializer=_yield_the_processor)

    async def prepare(self, passages: Sequence[RawPassage]) -> list[Prepared]:
        """One result for each passage, in order."""
        return await on_thread(self._thread, self._prepare, passages)

    async def encode(self, question: str) -> NDArray[np.float32]:
        """(d,) the vector of a question."""
        rows = await on_thread(self._thread, self._encoder.encode, [question])
        vector: NDArray[np.float32] = rows[0]
        return vector

    def close(self) -> None:
        """Ends the thread; work that has not begun is dropped."""
        self._thread.shutdown(cancel_futures=True)

    def _prepare(self, passages: Sequence[RawPassage]) -> list[Prepared]:
        units = [cut_or_whole(passage.text, passage.kind)[0] for passage in passages]
        inputs = [
            EncodeInput(p.title, p.text, [(unit.start, unit.end) for unit in cut])
            for p, cut in zip(passages, units, strict=True)
        ]
        encoded = self._encoder.encode_passages(inputs)
        return [self._prepared(*one) for one in zip(passages, units, encoded, strict=True)]

    def _prepared(self, passage: RawPassage, units: Sequence[Unit], vectors: PassageVectors) -> Prepared:
        checkpoint()
        return Prepared(
            signals=pack(prepare(passage.title, passage.text, units, vectors.sentences, self._encodings)),
            vector=vectors.passage.astype("<f4").tobytes(),
        )


def _yield_the_processor() -> None:
    """Ingestion may wait, questions may not: on Linux the thread alone becomes nicer."""
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
