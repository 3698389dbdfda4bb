"""Signals: all that search needs of a document, made once when it is indexed and stored as columns of bytes."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from services.selector.indexing import fingerprint, passage_terms, search_terms, term_key
from services.selector.sketch import make_sketch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from services.selector.passage import Document, IndexedDocument, Passage

_MAX_FREQUENCY = 0xFFFF


class Signals(NamedTuple):
    """One document's signals. Little-endian arrays; n passages, d dimensions, t (passage, term) pairs."""

    vectors: bytes
    """float32 (n, d)."""
    lengths: bytes
    """uint32 (n,): terms of each passage, repeats included."""
    fingerprints: bytes
    """uint64 (n,): equal for equal texts."""
    sketches: bytes
    """uint16 (n, sketch.SIZE)."""
    term_counts: bytes
    """uint32 (n,): distinct terms of each passage."""
    terms: bytes
    """uint64 (t,): hashes of the distinct terms, passage by passage."""
    frequencies: bytes
    """uint16 (t,): how often the passage has the term."""
    facets: bytes
    """uint64: what the document may be filtered by: its metadata entries, their keys, and who may see it."""


def entry_facet(key: str, value: str) -> int:
    """64-bit hash that stands for a metadata entry; the length keeps (ab, c) and (a, bc) apart."""
    return _hash(f"{len(key)}:{key}{value}", b"facet")


def key_facet(key: str) -> int:
    """64-bit hash that stands for metadata under a key, whatever its value."""
    return _hash(key, b"key")


def group_facet(group: str) -> int:
    """64-bit hash that stands for what a group may see."""
    return _hash(group, b"group")


PUBLIC_FACET = int.from_bytes(blake2b(digest_size=8, person=b"public").digest(), "little")
"""Stands for what everybody of the tenant may see."""


def source_key(source: str) -> int:
    """64-bit hash that stands for a source."""
    return _hash(source, b"source")


def make_signals(indexed: IndexedDocument) -> Signals:
    """Analyse a document."""
    passages = indexed.passages
    own = [passage_terms(passage) for passage in passages]
    counters = [Counter(terms) for terms in search_terms(indexed.document.kind, own)]
    frequencies = [frequency for counter in counters for frequency in counter.values()]
    return Signals(
        vectors=vector_column(indexed.vectors),
        lengths=_column([counter.total() for counter in counters], "<u4"),
        fingerprints=_column([fingerprint(passage.text) for passage in passages], "<u8"),
        sketches=sketch_column(passages, own),
        term_counts=_column([len(counter) for counter in counters], "<u4"),
        terms=_column([term_key(term) for counter in counters for term in counter], "<u8"),
        frequencies=np.minimum(np.array(frequencies, np.int64), _MAX_FREQUENCY).astype("<u2").tobytes(),
        facets=facet_column(indexed.document),
    )


def vector_column(vectors: NDArray[np.float32]) -> bytes:
    """The column `vectors`."""
    return np.ascontiguousarray(vectors, "<f4").tobytes()


def sketch_column(passages: Sequence[Passage], terms: Sequence[Sequence[str]]) -> bytes:
    """The column `sketches` of passages with these analysed terms."""
    sketches = (make_sketch(own, passage.text) for passage, own in zip(passages, terms, strict=True))
    return b"".join(sketch.astype("<u2").tobytes() for sketch in sketches)


def facet_column(document: Document) -> bytes:
    """The column `facets`."""
    entries = [facet for key, value in document.metadata.items() for facet in (entry_facet(key, value), key_facet(key))]
    readers = [group_facet(group) for group in sorted(set(document.acl_groups))] or [PUBLIC_FACET]
    return _column(entries + readers, "<u8")


def _hash(text: str, kind: bytes) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8, person=kind).digest(), "little")


def _column(values: Sequence[int], dtype: str) -> bytes:
    return np.array(values, dtype).tobytes()
