"""Waits for whichever comes first."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def race(*contestants: Coroutine[Any, Any, object], timeout_seconds: float | None = None) -> int | None:
    """Run all together until one finishes; cancel the others and wait for their end.

    Returns the index of the one that finished (the lowest if several did), None if the time was over before; an
    exception of that one is raised.
    """
    tasks = [asyncio.ensure_future(contestant) for contestant in contestants]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for index, task in enumerate(tasks):
        if task in done:
            task.result()
            return index
    return None
