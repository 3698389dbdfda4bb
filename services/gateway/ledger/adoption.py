"""Enters segments in the index whose writer could not: it died, or the index was away."""

import asyncio
from collections.abc import Iterable

from services.chassis.logs import get_logger
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.ledger.archive import Archive, ArchiveUnavailableError, SegmentMissingError
from services.gateway.ledger.blanking import Blanking
from services.gateway.ledger.index import Index
from services.gateway.ledger.segment import BrokenSegmentError

_log = get_logger(__name__)

_TRIES = 8
"""Erasures that may come in between, one after the other."""

_MAX_WAITING = 10_000
"""Names of segments that are remembered while the index is away: days of them."""


class Adoption:
    """Reads a segment's header and enters it, without what was erased meanwhile."""

    def __init__(self, archive: Archive, index: Index, blanking: Blanking) -> None:
        self._archive = archive
        self._index = index
        self._blanking = blanking
        self._waiting: dict[tuple[str, str], None] = {}

    async def adopt(self, tenant: str, segment: str) -> int:
        """Enters a segment; returns how many records it has. Raises ArchiveUnavailableError, CacheUnavailableError."""
        for _ in range(_TRIES):
            marks = await self._index.begin(tenant, segment)
            try:
                entries = await self._archive.entries(tenant, segment)
                covered = [entry for entry in entries if marks.cover(entry)]
                if covered:
                    async with self._index.turn(tenant):
                        await self._blanking.blank(tenant, segment, covered)
                    continue
            except (SegmentMissingError, BrokenSegmentError) as error:
                if isinstance(error, BrokenSegmentError):
                    _log.warning("ledger_segment_broken", segment=segment, error=str(error))
                await self._index.forget(tenant, segment)
                return 0
            if await self._index.commit(tenant, segment, entries, marks.generation):
                return sum(not entry.erased for entry in entries)
        raise CacheUnavailableError("one erasure follows the other")

    async def adopt_all(self, tenant: str, segments: Iterable[str]) -> int:
        """Enters segments, side by side; returns how many records they have. Raises as `adopt`."""
        return sum(await asyncio.gather(*(self.adopt(tenant, segment) for segment in segments)))

    def later(self, tenant: str, segment: str) -> None:
        """Remembers a segment for `catch_up`."""
        if len(self._waiting) < _MAX_WAITING:
            self._waiting[tenant, segment] = None

    async def catch_up(self) -> None:
        """Enters what waits; what fails goes on waiting."""
        for tenant, segment in list(self._waiting):
            try:
                await self.adopt(tenant, segment)
            except (CacheUnavailableError, ArchiveUnavailableError):
                return
            del self._waiting[tenant, segment]
