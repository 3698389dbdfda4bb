"""Records with prepared passages: the encoder runs once for a file, its vectors are cached."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.qa import Document, Record, header, read_records
from services.compressor.prepare import prepare
from services.compressor.prepared import COUNTED_ENCODINGS, PassageSignals
from services.compressor.units import split_units
from services.text.encoder import EncodeInput, Encoder
from services.text.model import model_file
from services.text.tokens import encoding_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from services.compressor.units import Unit


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """A record as ingestion leaves it."""

    record: Record
    question_vector: NDArray[np.float32]
    signals: tuple[PassageSignals, ...]
    """One for each document."""


def prompt_title(document: Document) -> str:
    """The title as the context shows it."""
    return header(document).rstrip("\n")


def read_prepared(path: Path, cache: Path) -> list[PreparedRecord]:
    """The records of a file, prepared; `cache` is a folder for the model and the vectors."""
    records = read_records(path)
    units = [[split_units(d.text, "docs") for d in record.documents] for record in records]
    questions, vectors = _vectors(path, cache, records, units)
    encodings = [encoding_for(name) for name in COUNTED_ENCODINGS]
    result = []
    at = 0
    for record, cut, question in zip(records, units, questions, strict=True):
        signals = []
        for document, cuts in zip(record.documents, cut, strict=True):
            rows = vectors[at : at + len(cuts)]
            at += len(cuts)
            signals.append(prepare(prompt_title(document), document.text, cuts, rows, encodings))
        result.append(PreparedRecord(record, question, tuple(signals)))
    return result


def encoding_seconds(records: Sequence[Record], cache: Path) -> float:
    """Processor seconds of encoding the passages of these records, as a method without prepared vectors must."""
    encoder = Encoder.load(model_file(cache))
    spans = [[[(u.start, u.end) for u in split_units(d.text, "docs")] for d in r.documents] for r in records]
    begin = time.process_time()
    for record, cuts in zip(records, spans, strict=True):
        encoder.encode_passages(
            [EncodeInput(d.title, d.text, cut) for d, cut in zip(record.documents, cuts, strict=True)]
        )
    return time.process_time() - begin


def _vectors(
    path: Path, cache: Path, records: list[Record], units: Sequence[Sequence[Sequence[Unit]]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    encoder = Encoder.load(model_file(cache))
    spans = [[[(unit.start, unit.end) for unit in cuts] for cuts in record] for record in units]
    key = hashlib.sha256(path.read_bytes() + repr(spans).encode() + encoder.model_id.encode()).hexdigest()[:16]
    file = cache / f"{path.name.split('.')[0]}-{key}.npz"
    if not file.exists():
        questions = encoder.encode([record.question for record in records])
        parts = [
            encoded.sentences
            for record, cuts in zip(records, spans, strict=True)
            for encoded in encoder.encode_passages(
                [EncodeInput(d.title, d.text, cut) for d, cut in zip(record.documents, cuts, strict=True)]
            )
        ]
        np.savez(file, questions=questions, vectors=np.concatenate(parts))
    with np.load(file) as stored:
        return stored["questions"], stored["vectors"]
