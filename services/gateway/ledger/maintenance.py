"""What the ledger does now and then: completes its index, removes what is too old."""

import asyncio
from collections.abc import Awaitable, Callable

from services.chassis.logs import get_logger
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.ledger.adoption import Adoption
from services.gateway.ledger.archive import Archive, ArchiveUnavailableError
from services.gateway.ledger.hours import hour_of
from services.gateway.ledger.index import Index
from services.gateway.ledger.rebuilding import Rebuilding
from services.gateway.ledger.record_id import milliseconds_of

_log = get_logger(__name__)

_PAUSE = 30.0
_ROUNDS_OF_AN_HOUR = 120


class Maintenance:
    """Runs beside the requests. All gateways do it; what one has done is no work for the next."""

    def __init__(
        self,
        archive: Archive,
        index: Index,
        adoption: Adoption,
        rebuilding: Rebuilding,
        *,
        days: float,
        clock: Callable[[], float],
    ) -> None:
        self._archive = archive
        self._index = index
        self._adoption = adoption
        self._rebuilding = rebuilding
        self._life = days * 86_400
        self._clock = clock

    async def run(self) -> None:
        """Works, until it is cancelled."""
        while True:
            await _tried(self.tidy)
            for _ in range(_ROUNDS_OF_AN_HOUR):
                await asyncio.sleep(_PAUSE)
                await _tried(self._adoption.catch_up)

    async def tidy(self) -> None:
        """Removes the hours that are over for good, and begins to complete what a lost index has lost."""
        try:
            await self._archive.tidy()
            for tenant in await self._archive.tenants():
                await self._remove_old(tenant)
                await self._rebuilding.begin(tenant)
        except (ArchiveUnavailableError, CacheUnavailableError) as error:
            _log.warning("ledger_not_tidied", error=str(error))

    async def _remove_old(self, tenant: str) -> None:
        moment = self._clock() - self._life
        if oldest := await self._index.full_since(tenant):
            # Beyond what the index holds, nothing is found any more, and an erasure would only have more to read.
            moment = max(moment, milliseconds_of(oldest) / 1000)
        kept_since = hour_of(moment)
        for hour in await self._archive.hours(tenant):
            if hour < kept_since:
                await self._archive.remove(tenant, await self._archive.segments(tenant, hour))


async def _tried(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:  # noqa: BLE001 - whatever it is, retention must not end with it
        _log.exception("ledger_maintenance_failed")
