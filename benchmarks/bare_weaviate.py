"""Weaviate's own client and its hybrid query: what a search costs that keeps none of scic's promises."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

import numpy as np
import weaviate
from weaviate import WeaviateAsyncClient
from weaviate.classes.config import Configure, DataType, Property, Tokenization
from weaviate.classes.data import DataObject
from weaviate.classes.init import Auth

from benchmarks.servers import Servers
from benchmarks.synthetic import DIMENSION
from scic.selector.v1.selector_service_pb2 import IndexedDocument

_NAME = "BareBench"
_TENANT = "bench"
_BATCH = 500


class BareWeaviate:
    """One collection of passages, with their words, their vectors and the same payload that a selector returns."""

    def __init__(self, client: WeaviateAsyncClient) -> None:
        self._client = client
        self._passages = client.collections.use(_NAME).with_tenant(_TENANT)

    @classmethod
    @asynccontextmanager
    async def connect(cls, servers: Servers) -> AsyncIterator[Self]:
        """Make the collection and connect to it."""
        parts = urlsplit(servers.url)
        client = weaviate.use_async_with_local(
            host=str(parts.hostname),
            port=parts.port or 80,
            grpc_port=servers.grpc_port,
            auth_credentials=Auth.api_key(servers.api_key),
        )
        async with client:
            made = await client.collections.create(
                _NAME,
                vector_config=Configure.Vectors.self_provided(),
                multi_tenancy_config=Configure.multi_tenancy(enabled=True),
                properties=[
                    Property(name="text", data_type=DataType.TEXT, tokenization=Tokenization.WHITESPACE),
                    Property(name="prepared", data_type=DataType.TEXT, index_searchable=False, index_filterable=False),
                ],
            )
            await made.tenants.create(_TENANT)
            yield cls(client)

    async def fill(self, documents: Iterable[IndexedDocument]) -> None:
        """Insert all passages of the documents."""
        objects = [
            DataObject(
                properties={"text": item.passage.text, "prepared": b64encode(item.passage.prepared).decode()},
                vector=np.frombuffer(item.vector, "<f4").tolist(),
            )
            for document in documents
            for item in document.passages
        ]
        for at in range(0, len(objects), _BATCH):
            result = await self._passages.data.insert_many(objects[at : at + _BATCH])
            if result.has_errors:
                raise RuntimeError(f"Weaviate refused objects: {next(iter(result.errors.values())).message}")

    def hybrid(self, questions: Sequence[str], limit: int) -> Callable[[str], Awaitable[object]]:
        """A hybrid query of words and a random vector, the same each time for each of the questions."""
        random = np.random.default_rng(3)
        vectors = {question: random.standard_normal(DIMENSION).tolist() for question in questions}

        async def ask(question: str) -> object:
            return await self._passages.query.hybrid(
                query=question, vector=vectors[question], limit=limit, return_properties=["text", "prepared"]
            )

        return ask
