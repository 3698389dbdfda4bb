"""Requests for a rolling restart: a file in the run directory, a signal, and a file as answer.

A file rather than a socket: a socket's path may be no longer than about 100 characters, a data directory's may.
"""

import json
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from scic.mesh.errors import MeshError
from scic.mesh.files import write_private
from scic.mesh.identity import supervisor_of
from scic.mesh.paths import MeshPaths
from scic.mesh.state import MeshState

REQUEST_SIGNAL = signal.SIGUSR1
_REQUEST, _ANSWER = ".restart", ".restarted"
_POLL_SECONDS = 0.1


def ask_restart(paths: MeshPaths, state: MeshState, service: str | None) -> None:
    """Have the supervisor restart a service, or all, and wait until it did; raises MeshError where it could not."""
    token = secrets.token_hex(8)
    request, answer = paths.run / f"{token}{_REQUEST}", paths.run / f"{token}{_ANSWER}"
    write_private(request, json.dumps({"service": service}))
    os.kill(state.pid, REQUEST_SIGNAL)
    # No deadline of its own: the supervisor bounds every step and answers, or is gone.
    while not answer.exists():
        if supervisor_of(state) is None:
            raise MeshError("The mesh ended while its services were being restarted.")
        time.sleep(_POLL_SECONDS)
    error = json.loads(answer.read_text(encoding="utf-8"))["error"]
    answer.unlink()
    if error is not None:
        raise MeshError(error)


async def answer_requests(paths: MeshPaths, restart: Callable[[str | None], Awaitable[None]]) -> None:
    """Do what the waiting requests ask, oldest first, and answer each."""
    for request in sorted(paths.run.glob(f"*{_REQUEST}"), key=lambda path: path.stat().st_mtime):
        service = json.loads(request.read_text(encoding="utf-8"))["service"]
        request.unlink()
        error = None
        try:
            await restart(service)
        except MeshError as failure:
            error = str(failure)
        write_private(_answer_of(request), json.dumps({"error": error}))


def _answer_of(request: Path) -> Path:
    return request.with_suffix(_ANSWER)
