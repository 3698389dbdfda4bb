"""An OpenAI-compatible chat completions endpoint on this machine, for tests of its clients."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.json_server import Answer, json_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.json_server import JsonServer


@dataclass
class ChatApi:
    """What it shall answer, and what it was asked."""

    server: JsonServer
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

    @property
    def url(self) -> str:
        """Up to the version."""
        return f"{self.server.url}/v1"

    @property
    def most_at_once(self) -> int:
        """Requests that were under way together."""
        return self.server.most_at_once

    def prompt(self, index: int = -1) -> dict[str, str]:
        """What a request said, by role."""
        messages = self.asked[index]["messages"]
        assert isinstance(messages, list)
        return {message["role"]: message["content"] for message in messages}


@contextmanager
def chat_api() -> Iterator[ChatApi]:
    """Serve on a free port."""
    closed = threading.Event()

    def answer(path: str, request: dict[str, Any], key: str | None) -> Answer | None:
        api.asked.append({"path": path, **request})
        api.keys.append(key)
        if api.hangs:
            closed.wait()
            return None
        body = _completion(request["model"], api.answer, api.finish_reason) if api.body is None else api.body
        return Answer(api.status, body, api.content_type)

    with json_server(answer) as server:
        api = ChatApi(server)
        try:
            yield api
        finally:
            closed.set()


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
