"""The work of a job: items that are done each on its own, some at a time."""

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from scic import errors
from services.chassis.logs import get_logger
from services.gateway.callers.principal import Principal
from services.gateway.jobs.ports import Claim, ItemResult, LostClaimError
from services.gateway.jobs.retriable import is_busy

_Item = TypeVar("_Item")

_log = get_logger(__name__)

_HOPELESS = 8
"""So many items in a row that a stage had no answer for: the others will not fare better in this attempt."""


class TurnOverError(Exception):
    """Others wait for the place: the attempt ended between two items, and the rest is for a later one."""


class Tenure(Protocol):
    """A claim, as the work sees it."""

    async def keep(self, results: Mapping[int, ItemResult]) -> None:
        """Keeps results for good. Raises LostClaimError, JOB_QUEUE_FULL."""
        ...

    async def check(self) -> None:
        """To be called right before what cannot be taken back. Raises LostClaimError."""
        ...

    def is_over(self) -> bool:
        """Whether no further item is to be begun, since others wait."""
        ...


class Work(Protocol):
    """How jobs of a kind are done."""

    async def do(self, owner: Principal, claim: Claim, tenure: Tenure) -> None:
        """Does the items that have no result yet. Raises what another attempt may mend, when all else is kept.

        Raises TurnOverError where it stopped before the last of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an item, or of some that were done together."""

    results: Mapping[int, ItemResult] = field(default_factory=dict)
    failure: errors.ScicError | None = None
    """Why there is no result, or not for all; another attempt may mend it."""


async def do_all(
    items: Iterable[_Item], do: Callable[[_Item], Awaitable[Done]], tenure: Tenure, *, at_a_time: int
) -> None:
    """Does items in their order, `at_a_time` of them together, and keeps what is done while others go on.

    Raises the first failure, after all items were tried or nothing but failures came; one that is not for want of room
    goes before those that are. Without a failure, raises TurnOverError where items are left since others wait.
    """
    waiting = deque(items)
    running: set[asyncio.Task[Done]] = set()
    first: errors.ScicError | None = None
    in_a_row = 0
    try:
        while True:
            while waiting and len(running) < at_a_time and in_a_row < _HOPELESS and not tenure.is_over():
                running.add(asyncio.ensure_future(do(waiting.popleft())))
            if not running:
                break
            finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            results: dict[int, ItemResult] = {}
            for task in finished:
                done = _outcome(task)
                results.update(done.results)
                first = _graver(first, done.failure)
                in_a_row = in_a_row + 1 if done.failure else 0
            if results:
                await tenure.keep(results)
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
    if first is not None:
        raise first
    if waiting:
        raise TurnOverError


def _graver(first: errors.ScicError | None, second: errors.ScicError | None) -> errors.ScicError | None:
    """The first failure; but one for want of room says less than any other."""
    return second if first is None or (second is not None and is_busy(first)) else first


def _outcome(task: asyncio.Task[Done]) -> Done:
    """What came of an item; one that meets a bug must not take the results of the others with it."""
    try:
        return task.result()
    except LostClaimError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's
        error_id = uuid.uuid4().hex
        _log.error("job_item_failed", error_id=error_id, exc_info=error)
        return Done(failure=errors.INTERNAL.error("a bug of the service", metadata={"error_id": error_id}))
