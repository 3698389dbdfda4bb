"""Work that a reply does not wait for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

from services.chassis.logs import get_logger

_log = get_logger(__name__)

_MAX_TASKS = 256
"""Beyond this, new work is not begun: what runs in the background may be left out."""


class Background:
    """Runs coroutines in the background, a bounded number of them, and ends with them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins `work`, or leaves it out where too much is under way."""
        if len(self._tasks) >= _MAX_TASKS:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("background work failed", exc_info=error)
