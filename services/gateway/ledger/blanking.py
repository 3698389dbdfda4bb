"""Takes records out of a segment that is written."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from services.gateway.ledger import segment as segments
from services.gateway.ledger.archive import Archive
from services.gateway.ledger.entry import Entry
from services.gateway.ledger.index import Index


class Blanking:
    """Rewrites segments without some of their records, first, and then puts tombstones in the index."""

    def __init__(self, archive: Archive, index: Index, executor: Executor) -> None:
        self._archive = archive
        self._index = index
        self._executor = executor

    async def blank(self, tenant: str, segment: str, erased: Sequence[Entry]) -> None:
        """Erases records. The caller has the tenant's turn: two that read before either writes would undo each other.

        Raises SegmentMissingError, BrokenSegmentError, ArchiveUnavailableError and CacheUnavailableError.
        """
        data = await self._archive.read(tenant, segment)
        record_ids = frozenset(entry.record_id for entry in erased)
        loop = asyncio.get_running_loop()
        blanked = await loop.run_in_executor(self._executor, segments.blank, data, segment, record_ids)
        await self._archive.replace(tenant, segment, blanked)
        await self._index.erase(tenant, erased)
