"""The collections: made where they are missing, completed where a property is, never changed otherwise.

A change that is more than a new property raises `SCHEMA`: the collections of the new version stand beside the old ones.
"""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
    VectorDistances,
)
from weaviate.exceptions import UnexpectedStatusCodeError

from services.selector.indexing import BM25_B, BM25_K1
from services.selector.weaviate.connection import weaviate_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weaviate import WeaviateAsyncClient
    from weaviate.collections.classes.config_vectors import _VectorConfigCreate

    from services.selector.passage import EmbeddingModel
    from services.selector.weaviate.connection import Connection

SCHEMA: Final = 1
"""Version of the collections and of what their properties hold."""


def _kept(name: str, data_type: DataType = DataType.TEXT) -> Property:
    """Stored and handed back, not searched."""
    return Property(name=name, data_type=data_type, index_filterable=False, index_searchable=False)


def _token(name: str, data_type: DataType = DataType.TEXT) -> Property:
    """Compared as a whole."""
    return Property(
        name=name,
        data_type=data_type,
        tokenization=Tokenization.FIELD,
        index_filterable=True,
        index_searchable=False,
    )


def _number(name: str, *, compared: bool = False) -> Property:
    return Property(
        name=name,
        data_type=DataType.INT,
        index_filterable=False,
        index_range_filters=compared,
        index_searchable=False,
    )


_CORPUS = (_kept("state"),)
_DOCUMENT = (
    _token("generation"),
    _token("document"),
    _token("order"),
    _token("source"),
    _token("sourceName"),
    _token("groups", DataType.TEXT_ARRAY),
    _token("facets", DataType.TEXT_ARRAY),
    _token("subjects", DataType.TEXT_ARRAY),
    _token("runs", DataType.TEXT_ARRAY),
    _number("expires", compared=True),
    _number("passages", compared=True),
    _number("size"),
    _kept("record"),
)
_TEXT = (
    _token("generation"),
    _number("ordinal"),
    _kept("titles"),
    _kept("text"),
    _number("start"),
    _number("end"),
    _kept("prepared"),
    _kept("sensitive"),
    _kept("record"),
)
# Without the texts: Weaviate reads a candidate's object as a whole, and a search has two hundred candidates.
_PASSAGE = (
    _kept("digest"),
    _token("generation"),
    _token("source"),
    _token("groups", DataType.TEXT_ARRAY),
    _token("facets", DataType.TEXT_ARRAY),
    _number("expires", compared=True),
    Property(name="terms", data_type=DataType.TEXT, tokenization=Tokenization.WHITESPACE, index_filterable=False),
)


def model_key(model: EmbeddingModel) -> str:
    """What stands for a model in names and properties."""
    return blake2b(f"{model.dimension}:{model.model_id}".encode(), digest_size=8).hexdigest()


class Schema:
    """Names of the collections, and their making.

    Args:
        prefix: what the names begin with, so that several meshes may share a cluster.
    """

    def __init__(self, connection: Connection, prefix: str = "Scic") -> None:
        self._connection = connection
        self._prefix = prefix
        self._ensured: set[str] = set()
        self._ensuring = asyncio.Lock()
        self.corpus: Final = f"{prefix}Corpus_v{SCHEMA}"
        """One object a tenant: the state of its corpus."""
        self.document: Final = f"{prefix}Document_v{SCHEMA}"
        """One object a document: its record."""
        self.text: Final = f"{prefix}Text_v{SCHEMA}"
        """One object a passage: its text and what is handed back with it."""

    def passage(self, key: str) -> str:
        """One object a passage: what it is found by, with its vector of the model that has this key."""
        return f"{self._prefix}Passage_v{SCHEMA}_{key}"

    async def ensure(self, key: str | None = None) -> None:
        """Make what a write needs, with vectors of the model that has this key. Raises StoreError."""
        if self.corpus not in self._ensured:
            await self._ensure_all(
                [(self.corpus, _CORPUS), (self.document, _DOCUMENT), (self.text, _TEXT)],
                Configure.Vectors.self_provided(vector_index_config=Configure.VectorIndex.none()),
            )
        if key is not None and self.passage(key) not in self._ensured:
            index = Configure.VectorIndex.hnsw(
                distance_metric=VectorDistances.DOT, quantizer=Configure.VectorIndex.Quantizer.none()
            )
            await self._ensure_all(
                [(self.passage(key), _PASSAGE)], Configure.Vectors.self_provided(vector_index_config=index)
            )

    async def tenants(self) -> list[str]:
        """Tenants for which something was written, in order."""
        client = await self._connection.client()
        with weaviate_errors():
            if not await client.collections.exists(self.document):
                return []
            return sorted(await client.collections.use(self.document).tenants.get())

    def forget(self) -> None:
        """Look again before the next write: a collection that was there is not."""
        self._ensured.clear()

    async def _ensure_all(self, wanted: Sequence[tuple[str, Sequence[Property]]], vectors: _VectorConfigCreate) -> None:
        async with self._ensuring:
            client = await self._connection.client()
            for name, properties in wanted:
                if name in self._ensured:
                    continue
                with weaviate_errors():
                    if not await client.collections.exists(name):
                        await _create(client, name, properties, vectors)
                    await _complete(client, name, properties)
                self._ensured.add(name)


async def _create(
    client: WeaviateAsyncClient, name: str, properties: Sequence[Property], vectors: _VectorConfigCreate
) -> None:
    try:
        await client.collections.create(
            name,
            properties=list(properties),
            vector_config=vectors,
            multi_tenancy_config=Configure.multi_tenancy(
                enabled=True, auto_tenant_creation=True, auto_tenant_activation=True
            ),
            inverted_index_config=Configure.inverted_index(
                bm25_k1=BM25_K1, bm25_b=BM25_B, stopwords_preset=StopwordsPreset.NONE
            ),
        )
    except UnexpectedStatusCodeError:
        # Another selector made it at this moment.
        if not await client.collections.exists(name):
            raise


async def _complete(client: WeaviateAsyncClient, name: str, properties: Sequence[Property]) -> None:
    there = await _property_names(client, name)
    for missing in properties:
        if missing.name in there:
            continue
        try:
            await client.collections.use(name).config.add_property(missing)
        except UnexpectedStatusCodeError:
            # Another selector added it at this moment.
            if missing.name not in await _property_names(client, name):
                raise


async def _property_names(client: WeaviateAsyncClient, name: str) -> set[str]:
    return {known.name for known in (await client.collections.use(name).config.get(simple=True)).properties}
