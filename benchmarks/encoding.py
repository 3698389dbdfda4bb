"""Documents to what the gateway makes of them: cut, encoded on all cores, ready to be stored."""

import multiprocessing
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import psutil

from benchmarks.beir import Text
from services.compressor.units import split_units
from services.gateway.chunking import ChunkingError, SourceDocument, chunk, format_of
from services.selector.passage import Document, IndexedDocument, Passage, SourceKind
from services.text.encoder import EncodeInput, Encoder, Vectors

_BATCH = 64
"""Documents that a process takes at a time."""
_encoder: Encoder


def encode_documents(texts: Sequence[Text], content_type: str, source: str, model: Path) -> list[IndexedDocument]:
    """The documents of a source; those that the gateway would refuse, as empty ones, are left out."""
    context = multiprocessing.get_context("spawn")
    batches = [(texts[at : at + _BATCH], content_type, source) for at in range(0, len(texts), _BATCH)]
    with context.Pool(psutil.cpu_count() or 1, _load, (model,)) as pool:
        return [document for documents in pool.imap(_encode, batches) for document in documents]


def _load(model: Path) -> None:
    global _encoder  # noqa: PLW0603 - one for each process of the pool, which has no other place for it
    _encoder = Encoder.load(model, threads=1)


def _encode(batch: tuple[Sequence[Text], str, str]) -> list[IndexedDocument]:
    texts, content_type, source = batch
    kind = SourceKind(format_of(content_type).kind)
    documents = []
    for text in texts:
        content = text.text.encode()
        try:
            pieces = chunk(SourceDocument(text.id, text.title, content_type, content))
        except ChunkingError:
            continue
        inputs = [
            EncodeInput(
                " > ".join(p.title_path), p.text, [(unit.start, unit.end) for unit in split_units(p.text, kind)]
            )
            for p in pieces
        ]
        vectors: Vectors = np.stack([found.passage for found in _encoder.encode_passages(inputs)])
        document = Document(
            document_id=text.id,
            source=source,
            kind=kind,
            title=text.title,
            content_type=content_type,
            content_hash=blake2b(content).hexdigest(),
            size=len(content),
        )
        passages = tuple(Passage(document, i, p.title_path, p.text, p.start, p.end) for i, p in enumerate(pieces))
        documents.append(IndexedDocument(document, passages, vectors))
    return documents
