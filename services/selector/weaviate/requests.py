"""Requests to Weaviate's search, as its protocol has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weaviate.proto.v1 import base_pb2, base_search_pb2, search_get_pb2

from services.selector.weaviate.filters import any_of
from services.selector.weaviate.objects import VECTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.weaviate.filters import Filters


def search_request(
    collection: str, tenant: str, *, properties: Sequence[str] = (), limit: int, **fields: Any
) -> search_get_pb2.SearchRequest:
    """Ask for these properties of at most `limit` objects, or for all they have; `fields` as the message has them."""
    return search_get_pb2.SearchRequest(
        collection=collection,
        tenant=tenant,
        properties=search_get_pb2.PropertiesRequest(
            non_ref_properties=properties, return_all_nonref_properties=not properties
        ),
        metadata=fields.pop("metadata", None) or search_get_pb2.MetadataRequest(uuid=True),
        limit=limit,
        uses_123_api=True,
        uses_125_api=True,
        uses_127_api=True,
        **fields,
    )


def by_id(names: Iterable[str]) -> Filters:
    """Holds for the objects of these ids."""
    return any_of("_id", names)


def by_words(terms: Sequence[str]) -> base_search_pb2.BM25:
    """Rank by BM25 of analysed terms."""
    return base_search_pb2.BM25(query=" ".join(terms), properties=["terms"])


def by_vector(vector: NDArray[np.float32]) -> base_search_pb2.NearVector:
    """Rank by similarity to a vector."""
    return base_search_pb2.NearVector(
        vectors=[
            base_pb2.Vectors(
                name=VECTOR, vector_bytes=vector.astype("<f4").tobytes(), type=base_pb2.Vectors.VECTOR_TYPE_SINGLE_FP32
            )
        ]
    )


def ascending(name: str) -> list[search_get_pb2.SortBy]:
    """Order by a property."""
    return [search_get_pb2.SortBy(ascending=True, path=[name])]
