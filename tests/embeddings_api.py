"""An OpenAI-compatible embeddings endpoint on this machine, for tests of its clients."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np

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

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            api.asked.append({"path": self.path, **request})
            api.keys.append(self.headers["authorization"])
            data = [
                {"object": "embedding", "index": index, "embedding": vector_of(text, api.dimension).tolist()}
                for index, text in enumerate(request["input"])
            ]
            # Backwards: a client must go by the index.
            body = json.dumps({"object": "list", "model": request["model"], "data": data[::-1]}).encode()
            self.send_response(api.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
