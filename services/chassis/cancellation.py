"""The moment at which a call's handler is told that nobody waits for it any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

_Result_co = TypeVar("_Result_co", covariant=True)


class Watched(Generator[Any, Any, _Result_co]):
    """Work to await once, in the task that is cancelled with it; notes when that is.

    The callbacks of `ServicerContext.add_done_callback` come when the handler has ended, so they do not tell how long
    that took. A cancellation is thrown into the innermost await and passes here on its way.
    """

    __slots__ = ("_work", "cancelled_at")

    def __init__(self, work: Awaitable[_Result_co]) -> None:
        self._work = work.__await__()
        self.cancelled_at: float | None = None
        """By `time.monotonic`; None where the task was not cancelled."""

    def __await__(self) -> Generator[Any, Any, _Result_co]:
        """Do the work."""
        return self

    def __next__(self) -> Any:
        """Go on."""
        return self._work.send(None)

    def send(self, value: Any) -> Any:
        """Go on."""
        return self._work.send(value)

    def throw(self, error: Any, *more: Any) -> Any:
        """Let an exception in, and note whether it is the cancellation."""
        kind = error if isinstance(error, type) else type(error)
        # A time limit within the work cancels the task too, and takes that back. Of two, the first began the end.
        if issubclass(kind, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling() == 1:
            self.cancelled_at = time.monotonic()
        return self._work.throw(error, *more)

    def close(self) -> None:
        """Give the work up."""
        self._work.close()
