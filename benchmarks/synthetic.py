"""Documents of random words and vectors: any number of passages in no time, of the size that real ones have."""

from collections.abc import Iterator, Sequence

import numpy as np

from scic.selector.v1 import selector_service_pb2 as pb
from scic.type.v1 import passage_pb2, source_pb2, span_pb2

SOURCE = "docs"
DIMENSION = 384
PREPARED_BYTES = 3_000
"""What compression keeps of a passage of this length."""
_WORDS = 120
_PASSAGES = 10
"""Passages of a document."""
_VOCABULARY = 30_000
_ASKED_WORDS = 8
_FREQUENT = 300
"""Questions are made of words as frequent as these, which cost most."""


def documents(count: int, *, seed: int) -> Iterator[pb.IndexedDocument]:
    """Documents with so many passages together; word frequencies follow Zipf's law."""
    random = np.random.default_rng(seed)
    for first in range(0, count, _PASSAGES):
        number = min(_PASSAGES, count - first)
        name = f"document-{first // _PASSAGES}"
        vectors = random.standard_normal((number, DIMENSION)).astype("<f4")
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        words = np.minimum(random.zipf(1.2, (number, _WORDS)), _VOCABULARY)
        record = pb.DocumentRecord(
            document_id=name,
            source=SOURCE,
            kind=source_pb2.SOURCE_KIND_DOCS,
            title=name,
            content_type="text/plain",
            content_hash=name,
            size_bytes=number * _WORDS * 6,
        )
        passages = []
        for ordinal in range(number):
            text = " ".join(f"w{word}" for word in words[ordinal].tolist())
            passage = passage_pb2.Passage(
                passage_id=f"{name}#{ordinal}",
                document_id=name,
                source=SOURCE,
                kind=source_pb2.SOURCE_KIND_DOCS,
                title_path=[name],
                text=text,
                span=span_pb2.Span(start=0, end=len(text)),
                prepared=random.bytes(PREPARED_BYTES),
            )
            passages.append(pb.IndexedPassage(passage=passage, vector=vectors[ordinal].tobytes()))
        yield pb.IndexedDocument(record=record, passages=passages)


def questions(count: int, *, seed: int) -> Sequence[str]:
    """Questions of frequent words, each different."""
    random = np.random.default_rng(seed)
    return [
        " ".join(f"w{word}" for word in random.integers(2, _FREQUENT, _ASKED_WORDS).tolist()) + f" {number}"
        for number in range(count)
    ]
