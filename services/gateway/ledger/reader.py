"""Finds records and lists them, for those who may see them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from scic import errors
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.chassis.logs import get_logger
from services.gateway.callers.principal import Principal
from services.gateway.ledger import segment as segments
from services.gateway.ledger.adoption import Adoption
from services.gateway.ledger.archive import Archive, ArchiveUnavailableError, SegmentMissingError
from services.gateway.ledger.entry import Entry
from services.gateway.ledger.index import Index
from services.gateway.ledger.listing import is_wanted, listed_before, page_size, token_after
from services.gateway.ledger.rebuilding import Rebuilding
from services.gateway.ledger.record_id import first_record_id

_log = get_logger(__name__)

_CHUNK = 200
_MOST_LOOKED_AT = 10_000
"""Entries that one page may look at: where few meet its conditions, it comes with less than it was asked for."""


class LedgerReader:
    """Looks records up in the index and reads them from the archive.

    Raises ArchiveUnavailableError and CacheUnavailableError beside what the port says.
    """

    def __init__(
        self,
        archive: Archive,
        index: Index,
        adoption: Adoption,
        rebuilding: Rebuilding,
        executor: Executor,
        *,
        days: float,
        clock: Callable[[], float],
    ) -> None:
        self._archive = archive
        self._index = index
        self._adoption = adoption
        self._rebuilding = rebuilding
        self._executor = executor
        self._life_ms = int(days * 86_400_000)
        self._clock = clock

    async def get(self, principal: Principal, name: str) -> pb.Record:
        """See Ledger."""
        await self._make_ready(principal.tenant)
        for entry in await self._index.find(principal.tenant, name):
            if entry.record_id >= self._oldest() and entry.viewer.admits(principal):
                return await self._read(principal.tenant, entry)
        raise errors.RECORD_NOT_FOUND.error("there is no such record")

    async def list(self, principal: Principal, request: pb.ListRecordsRequest) -> pb.ListRecordsResponse:
        """See Ledger."""
        before = listed_before(request)
        await self._make_ready(principal.tenant)
        size, response, oldest = page_size(request), pb.ListRecordsResponse(), self._oldest()
        for _ in range(_MOST_LOOKED_AT // _CHUNK):
            entries = await self._index.page(principal.tenant, before, _CHUNK)
            for entry in entries:
                if entry.record_id < oldest:
                    return response
                if len(response.records) == size:
                    response.next_page_token = token_after(request, before)
                    return response
                before = entry.record_id
                if not entry.erased and entry.viewer.admits(principal):
                    row = entry.row()
                    if is_wanted(request, row):
                        response.records.append(row)
            if len(entries) < _CHUNK:
                return response
        response.next_page_token = token_after(request, before)
        return response

    async def _read(self, tenant: str, entry: Entry) -> pb.Record:
        record = None
        if not entry.erased:
            try:
                body = await self._archive.read_part(tenant, entry.segment, entry.offset, entry.length)
            except SegmentMissingError:
                raise errors.RECORD_NOT_FOUND.error("the record's time is over") from None
            record = await asyncio.get_running_loop().run_in_executor(self._executor, segments.read, body)
        if record is None:
            raise errors.RECORD_ERASED.error("the record was erased")
        return record

    async def _make_ready(self, tenant: str) -> None:
        status = await self._index.status(tenant)
        if not status.complete:
            await self._rebuilding.wait(tenant)
        if status.strays:
            try:
                await self._adoption.adopt_all(tenant, status.strays)
            except ArchiveUnavailableError as error:
                # What the index has can be listed without them.
                _log.warning("ledger_strays_not_adopted", error=str(error))

    def _oldest(self) -> str:
        return first_record_id(max(int(self._clock() * 1000) - self._life_ms, 0))
