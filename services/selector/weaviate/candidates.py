"""Candidates of one source: what Weaviate's two rankings found, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.selector.query import Candidates
from services.selector.weaviate.objects import digests

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray
    from weaviate.proto.v1 import search_get_pb2

    from services.selector.query import SourceQuery


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One source's candidates, and which objects they are."""

    candidates: Candidates
    names: list[bytes]
    """Ids of the candidates' objects, 16 bytes each."""
    generations: NDArray[np.uint64]


def read_candidates(
    query: SourceQuery,
    vector: NDArray[np.float32],
    words: Sequence[search_get_pb2.SearchResult],
    meaning: Sequence[search_get_pb2.SearchResult],
    *,
    all_words: bool,
    hidden: Collection[str],
) -> tuple[Found, bool]:
    """Join the two rankings, in the order in which the passages were indexed; tell whether something was hidden.

    Args:
        words: by BM25, with score and vector.
        meaning: by the vector, with its distance, the negative cosine.
        all_words: whether `words` are all that match, so that the others' score is known to be 0.
    """
    objects: dict[bytes, tuple[float, float, str]] = {}
    vectors: list[bytes] = []
    places: list[bytes] = []
    unknown = 0.0 if all_words else np.nan
    for result in meaning:
        metadata = result.metadata
        written = result.properties.non_ref_props.fields["digest"].text_value
        objects[metadata.id_as_bytes] = (unknown, -metadata.distance, written)
    for result in words:
        metadata = result.metadata
        name = metadata.id_as_bytes
        known = objects.get(name)
        if known is None:
            written = result.properties.non_ref_props.fields["digest"].text_value
            objects[name] = (metadata.score, np.nan, written)
            places.append(name)
            vectors.append(metadata.vectors[0].vector_bytes)
        else:
            objects[name] = (metadata.score, known[1], known[2])
    names = list(objects)
    rows = list(objects.values())
    digest: NDArray[Any] = digests([written for _, _, written in rows])
    bm25 = np.array([row[0] for row in rows], np.float32)
    cosine = np.array([row[1] for row in rows], np.float32)
    if places:
        # Those that only words found stand last, in this order.
        position = {name: index for index, name in enumerate(names)}
        matrix = np.frombuffer(b"".join(vectors), "<f4").reshape(len(places), -1)
        cosine[[position[name] for name in places]] = np.vecdot(matrix, vector)
    generations = digest["generation"]
    shown = np.ones(len(names), np.bool_)
    if hidden:
        shown = ~np.isin(generations, np.array([int(one, 16) for one in hidden], np.uint64))
    order = np.lexsort((digest["ordinal"], digest["indexed"]))
    order = order[shown[order]]
    first_bytes = np.array([int.from_bytes(name[:8], "big") for name in names], np.uint64)
    candidates = Candidates(
        query=query,
        bm25=bm25[order],
        cosine=cosine[order],
        passages=first_bytes[order],
        documents=digest["document"][order],
        fingerprints=digest["fingerprint"][order],
        sketches=digest["sketch"][order],
        created=digest["created"][order],
    )
    return Found(candidates, [names[index] for index in order.tolist()], generations[order]), not shown.all()


def no_candidates(query: SourceQuery) -> Found:
    """What a source gives that failed, or holds nothing."""
    return read_candidates(query, np.empty(0, np.float32), (), (), all_words=True, hidden=())[0]
