"""Work on threads for a call: none begins once its caller has left, and what goes on ends at its next checkpoint.

A thread cannot be stopped from outside, so work that takes long asks now and then. How long it went on after its caller
had left is measured.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import structlog

from services.chassis import metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")

_BACKGROUND: Final = "background"
"""The operation of work that no call waits for."""


class AbandonedError(BaseException):
    """Nobody waits for this work any more. No Exception, so that no fallback of the work takes it for a failure."""


class Leave:
    """Whether those who wait have left, and when."""

    __slots__ = ("at", "left")

    def __init__(self) -> None:
        self.left = False
        """Set by one thread and read by another: an attribute is enough, since the reader may be late."""
        self.at = 0.0
        """By `time.monotonic`."""

    def note(self) -> None:
        """Note that they leave now, or have before."""
        if not self.left:
            self.at = time.monotonic()
            self.left = True


_thread: ContextVar[Leave | None] = ContextVar("thread", default=None)


def is_abandoned() -> bool:
    """Tell whether this is work on a thread whose caller has left."""
    leave = _thread.get()
    return leave is not None and leave.left


def checkpoint() -> None:
    """End work on a thread whose caller has left, by raising AbandonedError; costs a tenth of a microsecond else."""
    if is_abandoned():
        raise AbandonedError


async def on_thread(
    executor: Executor | None, work: Callable[_Params, _Result], *args: _Params.args, **kwargs: _Params.kwargs
) -> _Result:
    """Do `work` on a thread of `executor`, of the loop's own where it is None; the call's context variables come along.

    Where the caller leaves, work that has not begun is dropped, and work that has is told at its next `checkpoint`.
    """
    leave, name = Leave(), operation()
    context = contextvars.copy_context()
    context.run(_thread.set, leave)

    def job() -> _Result:
        return context.run(_noted, leave, name, partial(work, *args, **kwargs))

    future = asyncio.get_running_loop().run_in_executor(executor, job)
    try:
        return await future
    except asyncio.CancelledError:
        leave.note()
        raise


def operation() -> str:
    """Name the RPC that is being answered, for the metric of what goes on after its end."""
    name: str = structlog.contextvars.get_contextvars().get("operation", _BACKGROUND)
    return name


def _noted(leave: Leave, name: str, work: Callable[[], _Result]) -> _Result:
    # A cancellation may have come between the moment the pool took the work and now.
    checkpoint()
    try:
        return work()
    finally:
        if leave.left:
            metrics.WORK_AFTER_CANCEL.labels(name).observe(time.monotonic() - leave.at)
