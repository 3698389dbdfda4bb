"""An HTTP server on this machine that answers JSON, for tests of clients."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class JsonServer:
    """A server that runs."""

    url: str = ""
    most_at_once: int = 0
    """Requests that were under way together."""


class Answer(NamedTuple):
    """What a request gets."""

    status: int
    body: bytes
    content_type: str = "application/json"


@contextmanager
def json_server(answer: Callable[[str, dict[str, Any], str | None], Answer | None]) -> Iterator[JsonServer]:
    """Serve POST on a free port.

    Args:
        answer: of path, body and authorization; None: nothing is answered.
    """
    running = JsonServer()
    lock = threading.Lock()
    under_way = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal under_way
            with lock:
                under_way += 1
                running.most_at_once = max(running.most_at_once, under_way)
            try:
                self._answer()
            finally:
                with lock:
                    under_way -= 1

        def _answer(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answered = answer(self.path, request, self.headers["authorization"])
            if answered is None:
                return
            self.send_response(answered.status)
            self.send_header("content-type", answered.content_type)
            self.send_header("content-length", str(len(answered.body)))
            self.end_headers()
            self.wfile.write(answered.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
