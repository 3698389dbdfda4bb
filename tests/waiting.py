"""Waits that end: every one is bounded, and says what it waited for."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

import pytest

LONG = 90.0
"""Seconds; far beyond what anything here takes on a busy machine."""
_POLL = 0.1


async def eventually(what: str, condition: Callable[[], bool | Awaitable[bool]], *, within: float = LONG) -> None:
    """Asks until the answer is yes; fails the test after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {what}")
        await asyncio.sleep(_POLL)
