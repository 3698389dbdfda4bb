"""An OpenAI-compatible chat completions endpoint on this machine, for tests of its clients."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class ChatApi:
    """What it shall answer, and what it was asked."""

    url: str = ""
    answer: str = "NOTHING"
    finish_reason: str = "stop"
    status: int = 200
    body: bytes | None = None
    """In the place of a completion."""
    content_type: str = "application/json"
    hangs: bool = False
    """Whether it answers nothing until it is closed."""
    asked: list[dict[str, object]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most_at_once: int = 0
    """Requests that were under way together."""

    def prompt(self, index: int = -1) -> dict[str, str]:
        """What a request said, by role."""
        messages = self.asked[index]["messages"]
        assert isinstance(messages, list)
        return {message["role"]: message["content"] for message in messages}


@contextmanager
def chat_api() -> Iterator[ChatApi]:
    """Serve on a free port."""
    api = ChatApi()
    closed = threading.Event()
    lock = threading.Lock()
    under_way = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal under_way
            with lock:
                under_way += 1
                api.most_at_once = max(api.most_at_once, under_way)
            try:
                self._answer()
            finally:
                with lock:
                    under_way -= 1

        def _answer(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            api.asked.append({"path": self.path, **request})
            api.keys.append(self.headers["authorization"])
            if api.hangs:
                closed.wait()
                return
            body = _completion(request["model"], api.answer, api.finish_reason) if api.body is None else api.body
            self.send_response(api.status)
            self.send_header("content-type", api.content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        closed.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _completion(model: str, answer: str, finish_reason: str) -> bytes:
    message = {"role": "assistant", "content": answer}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42},
        }
    ).encode()
