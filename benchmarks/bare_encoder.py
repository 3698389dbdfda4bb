"""What the encoder alone does with the passages of an ingestion: the yardstick of its speed."""

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.corpus import CutDocument
from services.compressor.units import split_units
from services.text.encoder import EncodeInput, Encoder

if TYPE_CHECKING:
    from multiprocessing import SimpleQueue

_START_SECONDS = 60.0


def encode_inputs(corpus: Iterable[CutDocument]) -> list[EncodeInput]:
    """The passages as Prepare gives them to the encoder."""
    return [
        EncodeInput(
            " > ".join(passage.title_path),
            passage.text,
            [(unit.start, unit.end) for unit in split_units(passage.text, cut.kind)],
        )
        for cut in corpus
        for passage in cut.passages
    ]


def bare_encoder_rate(model: Path, passages: Sequence[EncodeInput], *, processes: int) -> float:
    """Passages a second of so many processes together, one thread each, between the first start and the last end."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    spans: SimpleQueue[tuple[float, float]] = context.SimpleQueue()
    by_length = sorted(passages, key=lambda passage: len(passage.text))
    workers = [
        context.Process(target=_encode, args=(model, by_length[first::processes], barrier, spans), daemon=True)
        for first in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"a bare encoder ended with exit code {worker.exitcode}")
    measured = [spans.get() for _ in workers]
    return len(passages) / (max(end for _, end in measured) - min(start for start, _ in measured))


def _encode(
    model: Path, passages: Sequence[EncodeInput], barrier: Barrier, spans: "SimpleQueue[tuple[float, float]]"
) -> None:
    encoder = Encoder.load(model, threads=1)
    encoder.encode_passages(passages[:1])
    barrier.wait(_START_SECONDS)
    start = time.monotonic()  # the same clock in all processes of a machine
    encoder.encode_passages(passages)
    spans.put((start, time.monotonic()))
