"""When a handler was cancelled: the moment that it was told, whatever its own time limits did before and after."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from services.chassis.cancellation import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def limited() -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def hang() -> None:
    await asyncio.Event().wait()


async def linger() -> None:
    try:
        await hang()
    finally:
        await asyncio.sleep(0.05)
        await limited()


async def time_out_then_hang() -> None:
    await limited()
    await hang()


async def test_work_that_is_not_cancelled_comes_to_its_end() -> None:
    async def work() -> int:
        await limited()
        await asyncio.sleep(0)
        return 7

    watched = Watched(work())
    assert await watched == 7

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Watched(fail())


@pytest.mark.parametrize(
    ("work", "least"),
    [
        pytest.param(hang, 0.0, id="it ends at once"),
        pytest.param(linger, 0.05, id="it goes on for a while, a time limit of its own included"),
        pytest.param(time_out_then_hang, 0.0, id="a time limit of its own came before"),
    ],
)
async def test_tells_when_it_was_cancelled(work: Callable[[], Coroutine[None, None, None]], least: float) -> None:
    watched = Watched(work())

    async def handle() -> None:
        await watched

    task = asyncio.create_task(handle())
    await asyncio.sleep(0.05)
    before = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watched.cancelled_at is not None
    assert watched.cancelled_at >= before
    assert time.monotonic() - watched.cancelled_at >= least


async def test_a_cancellation_of_something_else_is_none() -> None:
    other = asyncio.create_task(hang())
    watched = Watched(other)
    asyncio.get_running_loop().call_soon(other.cancel)
    with pytest.raises(asyncio.CancelledError):
        await watched
    assert watched.cancelled_at is None
