"""The work of a job: items that are done each on its own, some at a time."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

from scic import errors
from services.chassis.logs import get_logger
from services.gateway.jobs.ports import Claim, ItemResult
from services.gateway.principal import Principal

_Item = TypeVar("_Item")

_log = get_logger(__name__)

Keep: TypeAlias = Callable[[Mapping[int, ItemResult]], Awaitable[None]]
"""Keeps results for good. Raises LostClaimError."""

_HOPELESS = 8
"""So many items in a row that a stage had no answer for: the others will not fare better in this attempt."""


class Work(Protocol):
    """How jobs of a kind are done."""

    async def do(self, owner: Principal, claim: Claim, keep: Keep) -> None:
        """Does the items that have no result yet. Raises what another attempt may mend, when all else is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an item, or of some that were done together."""

    results: Mapping[int, ItemResult] = field(default_factory=dict)
    failure: errors.ScicError | None = None
    """Why there is no result, or not for all; another attempt may mend it."""


async def do_all(items: Iterable[_Item], do: Callable[[_Item], Awaitable[Done]], keep: Keep, *, at_a_time: int) -> None:
    """Does items in their order, `at_a_time` of them together, and keeps what is done while others go on.

    Raises the first failure, after all items were tried or nothing but failures came.
    """
    waiting = iter(items)
    running: set[asyncio.Task[Done]] = set()
    first: errors.ScicError | None = None
    in_a_row = 0
    try:
        while True:
            while len(running) < at_a_time and in_a_row < _HOPELESS:
                try:
                    item = next(waiting)
                except StopIteration:
                    break
                running.add(asyncio.ensure_future(do(item)))
            if not running:
                break
            finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            results: dict[int, ItemResult] = {}
            for task in finished:
                done = _outcome(task)
                results.update(done.results)
                first = first or done.failure
                in_a_row = in_a_row + 1 if done.failure else 0
            if results:
                await keep(results)
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
    if first is not None:
        raise first


def _outcome(task: asyncio.Task[Done]) -> Done:
    """What came of an item; one that meets a bug must not take the results of the others with it."""
    try:
        return task.result()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's
        error_id = uuid.uuid4().hex
        _log.error("job_item_failed", error_id=error_id, exc_info=error)
        return Done(failure=errors.INTERNAL.error("a bug of the service", metadata={"error_id": error_id}))
