"""Makes an index whole again from the headers of all segments."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Self

from services.chassis.logs import get_logger
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.ledger.adoption import Adoption
from services.gateway.ledger.archive import Archive, ArchiveUnavailableError
from services.gateway.ledger.hours import hour_of
from services.gateway.ledger.index import Index

_log = get_logger(__name__)

_SIDE_BY_SIDE = 16
_WAIT = 2.0
"""Seconds that a reader waits for it."""

_POLL = 0.05
_PAUSES = (0.2, 1.0, 3.0)
"""Seconds before each further try; a breaker that has opened lets the next call through after two."""


class Rebuilding:
    """Completes the index of a tenant in the background, in one gateway at a time."""

    def __init__(
        self,
        archive: Archive,
        index: Index,
        adoption: Adoption,
        *,
        days: float,
        max_records: int,
        clock: Callable[[], float],
    ) -> None:
        self._archive = archive
        self._index = index
        self._adoption = adoption
        self._life = days * 86_400
        self._max_records = max_records
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def begin(self, tenant: str) -> None:
        """Begins to complete the index, unless it is complete or somebody is at it."""
        if tenant in self._tasks or (await self._index.status(tenant)).complete:
            return
        # Reader and maintenance may have come this far together.
        if await self._index.claim(tenant) and tenant not in self._tasks:
            task = asyncio.create_task(self._rebuild(tenant))
            self._tasks[tenant] = task
            task.add_done_callback(lambda _: self._tasks.pop(tenant))

    async def wait(self, tenant: str) -> None:
        """Returns when the index is complete. Raises ArchiveUnavailableError where that takes too long."""
        await self.begin(tenant)
        try:
            async with asyncio.timeout(_WAIT):
                # Another gateway may be at it: there is nothing here to wait for.
                while not (await self._index.status(tenant)).complete:  # noqa: ASYNC110 - see above
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise ArchiveUnavailableError("the index of the ledger is being rebuilt") from None

    async def _rebuild(self, tenant: str) -> None:
        try:
            count = await self._adopt_newest(tenant)
            await self._index.complete(tenant)
        except (ArchiveUnavailableError, CacheUnavailableError) as error:
            # The next reader begins again; the claim runs out by itself.
            _log.warning("ledger_index_not_rebuilt", error=str(error))
        else:
            _log.info("ledger_index_rebuilt", records=count)

    async def _adopt_newest(self, tenant: str) -> int:
        count = 0
        oldest = hour_of(self._clock() - self._life)
        for hour in await self._archive.hours(tenant):
            segments = await self._archive.segments(tenant, hour)
            for begin in range(0, len(segments), _SIDE_BY_SIDE):
                if hour < oldest or count >= self._max_records:
                    return count
                await self._index.claim(tenant)
                count += await self._adopt(tenant, segments[begin : begin + _SIDE_BY_SIDE])
        return count

    async def _adopt(self, tenant: str, segments: Sequence[str]) -> int:
        """Enters some segments; a hiccup of the storage or of Redis must not cost all that was done."""
        for pause in _PAUSES:
            try:
                return await self._adoption.adopt_all(tenant, segments)
            except (ArchiveUnavailableError, CacheUnavailableError):
                await asyncio.sleep(pause)
        return await self._adoption.adopt_all(tenant, segments)
