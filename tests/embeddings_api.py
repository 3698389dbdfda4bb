"""An OpenAI-compatible embeddings endpoint on this machine, for tests of its clients."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.json_server import Answer, json_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def vector_of(text: str, dimension: int) -> NDArray[np.float32]:
    """The vector that the endpoint gives a text, not of unit length: equal for equal texts."""
    seed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
    return np.random.default_rng(seed).normal(size=dimension).astype(np.float32)


@dataclass
class EmbeddingsApi:
    """What it shall answer, and what it was asked."""

    url: str = ""
    dimension: int = 8
    status: int = 200
    asked: list[dict[str, object]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def embeddings_api(dimension: int = 8) -> Iterator[EmbeddingsApi]:
    """Serve on a free port."""
    api = EmbeddingsApi(dimension=dimension)

    def answer(path: str, request: dict[str, Any], key: str | None) -> Answer:
        api.asked.append({"path": path, **request})
        api.keys.append(key)
        data = [
            {"object": "embedding", "index": index, "embedding": vector_of(text, api.dimension).tolist()}
            for index, text in enumerate(request["input"])
        ]
        # Backwards: a client must go by the index.
        return Answer(
            api.status, json.dumps({"object": "list", "model": request["model"], "data": data[::-1]}).encode()
        )

    with json_server(answer) as server:
        api.url = f"{server.url}/v1"
        yield api
