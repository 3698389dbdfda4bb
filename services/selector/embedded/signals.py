"""Signals: all that search needs of a document, made once when it is indexed and stored as columns of bytes."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from services.selector.indexing import fingerprint, passage_terms, term_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.passage import IndexedDocument

_MAX_FREQUENCY = 0xFFFF


class Signals(NamedTuple):
    """One document's signals. Little-endian arrays; n passages, d dimensions, t (passage, term) pairs."""

    vectors: bytes
    """float32 (n, d)."""
    lengths: bytes
    """uint32 (n,): terms of each passage, repeats included."""
    fingerprints: bytes
    """uint64 (n,): equal for equal texts."""
    term_counts: bytes
    """uint32 (n,): distinct terms of each passage."""
    terms: bytes
    """uint64 (t,): hashes of the distinct terms, passage by passage."""
    frequencies: bytes
    """uint16 (t,): how often the passage has the term."""
    facets: bytes
    """uint64: hashes of the document's (metadata key, value) pairs."""


def facet_key(key: str, value: str) -> int:
    """64-bit hash that stands for a metadata entry; the length keeps (ab, c) and (a, bc) apart."""
    data = f"{len(key)}:{key}{value}".encode()
    return int.from_bytes(blake2b(data, digest_size=8, person=b"facet").digest(), "little")


def source_key(source: str) -> int:
    """64-bit hash that stands for a source."""
    return int.from_bytes(blake2b(source.encode(), digest_size=8, person=b"source").digest(), "little")


def make_signals(indexed: IndexedDocument) -> Signals:
    """Analyse a document."""
    passages = indexed.passages
    counters = [Counter(passage_terms(passage)) for passage in passages]
    frequencies = [frequency for counter in counters for frequency in counter.values()]
    return Signals(
        vectors=np.ascontiguousarray(indexed.vectors, "<f4").tobytes(),
        lengths=_column([counter.total() for counter in counters], "<u4"),
        fingerprints=_column([fingerprint(passage.text) for passage in passages], "<u8"),
        term_counts=_column([len(counter) for counter in counters], "<u4"),
        terms=_column([term_key(term) for counter in counters for term in counter], "<u8"),
        frequencies=np.minimum(np.array(frequencies, np.int64), _MAX_FREQUENCY).astype("<u2").tobytes(),
        facets=_column([facet_key(key, value) for key, value in indexed.document.metadata.items()], "<u8"),
    )


def _column(values: Sequence[int], dtype: str) -> bytes:
    return np.array(values, dtype).tobytes()
