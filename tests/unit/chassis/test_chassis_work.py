"""Work on threads ends with its caller, and what goes on is measured."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from structlog.contextvars import bound_contextvars

from services.chassis import metrics
from services.chassis.work import AbandonedError, checkpoint, on_thread
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as one:
        yield one


def after_cancel(operation: str, what: str = "count") -> float:
    name = f"context_work_after_cancel_seconds_{what}"
    return metrics.REGISTRY.get_sample_value(name, {"operation": operation}) or 0.0


async def left(work: asyncio.Task[object]) -> None:
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


class Loop:
    """Work in many steps that notes how it ended."""

    def __init__(self, step: Callable[[], None]) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.ended: BaseException | str = ""
        self._step = step

    def __call__(self) -> None:
        self.begun.set()
        try:
            self.go_on.wait(30)
            self._step()
        except BaseException as error:
            self.ended = error
            raise
        self.ended = "done"


async def test_the_result_and_the_error_come_back(executor: ThreadPoolExecutor) -> None:
    assert await on_thread(executor, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await on_thread(None, divmod, 7, 0)


@pytest.mark.parametrize("asks", [pytest.param(True, id="at its checkpoint"), pytest.param(False, id="in the end")])
async def test_work_ends_when_its_caller_has_left(executor: ThreadPoolExecutor, asks: bool) -> None:
    loop = Loop(checkpoint if asks else lambda: None)
    with bound_contextvars(operation="Kitchen/Cook"):
        before = after_cancel("Kitchen/Cook")
        work = asyncio.create_task(on_thread(executor, loop))
        await eventually("it runs", loop.begun.is_set)
        await left(work)
        loop.go_on.set()
    await eventually("it has ended", lambda: bool(loop.ended))
    assert isinstance(loop.ended, AbandonedError) is asks
    await eventually("it was measured", lambda: after_cancel("Kitchen/Cook") == before + 1)


async def test_work_that_has_not_begun_is_dropped(executor: ThreadPoolExecutor) -> None:
    first, second = Loop(lambda: None), Loop(lambda: None)
    running = asyncio.create_task(on_thread(executor, first))
    await eventually("the first runs", first.begun.is_set)
    waiting = asyncio.create_task(on_thread(executor, second))
    await asyncio.sleep(0)
    await left(waiting)
    first.go_on.set()
    await running
    assert await on_thread(executor, int) == 0
    assert not second.begun.is_set()


async def test_work_whose_caller_stays_passes_its_checkpoints(executor: ThreadPoolExecutor) -> None:
    checkpoint()
    before = after_cancel("background")
    await on_thread(executor, checkpoint)
    assert after_cancel("background") == before
