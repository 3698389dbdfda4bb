"""The remote model: real HTTP, real protocol, and nothing wrong gets into a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from openai import AsyncOpenAI

from services.selector.embedding.embedder import EmbedderUnavailableError
from services.selector.embedding.remote_embedder import RemoteEmbedder
from services.selector.passage import Document, EmbeddingModel, Passage, SourceKind
from tests.embeddings_api import EmbeddingsApi, embeddings_api, vector_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def api() -> Iterator[EmbeddingsApi]:
    with embeddings_api() as api:
        yield api


@pytest.fixture
async def embedder(api: EmbeddingsApi) -> AsyncIterator[RemoteEmbedder]:
    async with AsyncOpenAI(base_url=api.url, api_key="a-key", max_retries=0, timeout=5.0) as client:
        yield RemoteEmbedder(client, "model-x", 8)


def passages(count: int) -> list[Passage]:
    document = Document("d", "docs", SourceKind.DOCS, "Title", "text/plain", "h", 1)
    return [Passage(document, i, ("Title", "Part"), f"text {i}", 0, 6) for i in range(count)]


async def test_a_question_gets_its_vector_at_unit_length(embedder: RemoteEmbedder, api: EmbeddingsApi) -> None:
    vector = await embedder.embed_question("how long?")
    expected = vector_of("how long?", 8)
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), rtol=1e-5)
    assert embedder.model == EmbeddingModel("model-x", 8)
    assert api.asked == [
        {"path": "/v1/embeddings", "model": "model-x", "input": ["how long?"], "encoding_format": "float"}
    ]
    assert api.keys == ["Bearer a-key"]


async def test_passages_are_sent_in_batches_and_come_back_in_order(
    embedder: RemoteEmbedder, api: EmbeddingsApi
) -> None:
    vectors = await embedder.embed_passages(passages(150))
    assert vectors.shape == (150, 8)
    assert sorted(len(call["input"]) for call in api.asked) == [22, 64, 64]  # type: ignore[arg-type]  # JSON
    expected = vector_of("Title > Part\ntext 149", 8)
    np.testing.assert_allclose(vectors[149], expected / np.linalg.norm(expected), rtol=1e-5)


async def test_no_passages_need_no_call(embedder: RemoteEmbedder, api: EmbeddingsApi) -> None:
    assert (await embedder.embed_passages([])).shape == (0, 8)
    assert not api.asked


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_an_error_of_the_provider_is_named_without_what_was_sent(
    embedder: RemoteEmbedder, api: EmbeddingsApi, status: int
) -> None:
    api.status = status
    with pytest.raises(EmbedderUnavailableError, match="model-x") as caught:
        await embedder.embed_question("a secret question")
    assert "secret" not in str(caught.value)


async def test_vectors_of_another_dimension_are_refused(embedder: RemoteEmbedder, api: EmbeddingsApi) -> None:
    api.dimension = 4
    with pytest.raises(EmbedderUnavailableError, match=r"\(1, 4\)"):
        await embedder.embed_question("question")


async def test_an_endpoint_that_is_away_is_not_asked_for_ever(embedder: RemoteEmbedder, api: EmbeddingsApi) -> None:
    api.status = 503
    for _ in range(10):
        with pytest.raises(EmbedderUnavailableError):
            await embedder.embed_question("question")
    assert len(api.asked) == 5
