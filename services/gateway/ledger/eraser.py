"""Erases records from the archive, which is the truth, and from the index."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from services.chassis.logs import get_logger
from services.gateway.ledger.archive import Archive, ArchiveUnavailableError, SegmentMissingError
from services.gateway.ledger.blanking import Blanking
from services.gateway.ledger.entry import Entry, document_digest
from services.gateway.ledger.index import Index
from services.gateway.ledger.marks import Marks
from services.gateway.ledger.segment import BrokenSegmentError
from services.gateway.ledger.writer import LedgerWriter

_log = get_logger(__name__)

_SIDE_BY_SIDE = 32
"""Headers that are read at a time."""

_PAGE = 256

_SETTLE_SECONDS = 5.0

_GRACE_MS = 1_000
"""By how much the clock of another gateway may be ahead: what it recorded before an erasure must not look newer."""


class Eraser:
    """Erases what names a document, or everything.

    First what waits here is written, then the erasure is noted, then all headers are read and segments rewritten. What
    another gateway writes after that meets the note, and is never seen. Reading all headers may take longer than a
    caller has: it goes on when he has left, and the same call again waits for it. Raises ArchiveUnavailableError and
    CacheUnavailableError.
    """

    def __init__(
        self, archive: Archive, index: Index, blanking: Blanking, writer: LedgerWriter, *, clock: Callable[[], float]
    ) -> None:
        self._archive = archive
        self._index = index
        self._blanking = blanking
        self._writer = writer
        self._clock = clock
        self._sweeps: dict[tuple[str, frozenset[str]], asyncio.Task[int]] = {}

    async def close(self) -> None:
        """Breaks off what is under way; the same calls, made again, begin anew."""
        sweeps = list(self._sweeps.values())
        for sweep in sweeps:
            sweep.cancel()
        if sweeps:
            await asyncio.wait(sweeps)

    async def begin(self, tenant: str, name: str) -> bool:
        """Notes that an erasure begins; True where one of that name has begun before and never ended."""
        return not await self._archive.note(tenant, name)

    async def end(self, tenant: str, name: str) -> None:
        """Notes that it is done."""
        await self._archive.drop_note(tenant, name)

    async def erase_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Erases all records that name one of the documents; returns how many there were."""
        if not document_ids:
            return 0
        digests = frozenset(map(document_digest, document_ids))
        return await self._once(tenant, digests, lambda: self._erase_documents(tenant, digests))

    async def erase_tenant(self, tenant: str) -> int:
        """Erases all records; returns how many there were."""
        return await self._once(tenant, frozenset(), lambda: self._erase_everything(tenant))

    async def _once(self, tenant: str, digests: frozenset[str], work: Callable[[], Coroutine[Any, Any, int]]) -> int:
        """What `work` gives, whoever began it; no digests: everything."""
        key = (tenant, digests)
        if key not in self._sweeps:
            self._sweeps[key] = sweep = asyncio.create_task(work())
            sweep.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(self._sweeps[key])

    def _ended(self, key: tuple[str, frozenset[str]], sweep: asyncio.Task[int]) -> None:
        del self._sweeps[key]
        if not sweep.cancelled() and (error := sweep.exception()):
            _log.warning("ledger_erasure_failed", error=type(error).__name__)

    async def _erase_documents(self, tenant: str, digests: frozenset[str]) -> int:
        await self._settle()
        until = self._until()
        await self._index.mark(tenant, digests, until)
        return await self._sweep(tenant, Marks(documents=dict.fromkeys(digests, until)))

    async def _erase_everything(self, tenant: str) -> int:
        await self._settle()
        until = self._until()
        await self._index.mark_everything(tenant, until)
        count = await self._sweep(tenant, Marks(everything=until))
        await self._erase_index(tenant, Marks(everything=until))
        return count

    async def _settle(self) -> None:
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self._writer.flush()
        except TimeoutError:
            raise ArchiveUnavailableError("records of before the erasure cannot be written") from None

    def _until(self) -> int:
        return int(self._clock() * 1000) + _GRACE_MS

    async def _sweep(self, tenant: str, marks: Marks) -> int:
        """Erases what the marks cover from all segments."""
        erased = set[str]()
        async with self._index.turn(tenant) as turn:
            for hour in await self._archive.hours(tenant):
                segments = await self._archive.segments(tenant, hour)
                for begin in range(0, len(segments), _SIDE_BY_SIDE):
                    await turn.extend()
                    chunk = segments[begin : begin + _SIDE_BY_SIDE]
                    for ids in await asyncio.gather(*(self._erase_from(tenant, segment, marks) for segment in chunk)):
                        erased |= ids
        return len(erased)

    async def _erase_from(self, tenant: str, segment: str, marks: Marks) -> set[str]:
        """Erases what the marks cover from a segment; returns the names of those records."""
        try:
            entries = await self._archive.entries(tenant, segment)
            covered = [entry for entry in entries if marks.cover(entry)]
            if marks.everything and all(entry.erased or marks.cover(entry) for entry in entries):
                await self._archive.remove(tenant, [segment])
                await self._index.erase(tenant, entries)
            elif covered:
                await self._blanking.blank(tenant, segment, covered)
            elif buried := [entry for entry in entries if entry.erased]:
                # The call before this one may have ended between archive and index.
                await self._index.erase(tenant, buried)
        except SegmentMissingError:
            # Its time was over.
            return set()
        except BrokenSegmentError as error:
            # Nobody can say what it holds, so it goes as a whole.
            _log.error("ledger_segment_broken", segment=segment, error=str(error))
            await self._archive.remove(tenant, [segment])
            return set()
        return {entry.record_id for entry in covered}

    async def _erase_index(self, tenant: str, marks: Marks) -> None:
        """Erases what the index knows of segments that are gone already."""
        before = ""
        while page := await self._index.page(tenant, before, _PAGE):
            covered: list[Entry] = [entry for entry in page if marks.cover(entry)]
            if covered:
                await self._index.erase(tenant, covered)
            before = page[-1].record_id
