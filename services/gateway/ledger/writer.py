"""Writes what requests record: several at once, behind their backs."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from random import Random

from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.ledger.adoption import Adoption
from services.gateway.ledger.archive import Archive, ArchiveUnavailableError
from services.gateway.ledger.batch import Batch
from services.gateway.ledger.index import Index
from services.gateway.ledger.known_facts import KnownFacts
from services.gateway.ledger.marks import Marks
from services.gateway.ledger.queue import QueuedRecord, RecordQueue
from services.gateway.ledger.segment import Body, compress

_log = get_logger(__name__)

_INTERVAL = 0.25
"""Seconds that a record waits for others: one object for all of them costs a store what one for each would."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class LedgerWriter:
    """Takes records in, and writes one segment for each tenant every quarter of a second, or when a batch is full.

    What the archive does not take is tried again, until it does; meanwhile the queue fills, and what it cannot hold is
    lost and counted.
    """

    def __init__(
        self,
        archive: Archive,
        index: Index,
        adoption: Adoption,
        executor: Executor,
        *,
        clock: Callable[[], float],
        random: Random,
        queue: RecordQueue,
    ) -> None:
        self._archive = archive
        self._index = index
        self._adoption = adoption
        self._executor = executor
        self._clock = clock
        self._random = random
        self._queue = queue
        self._facts = KnownFacts()
        self._waiting = asyncio.Event()
        self._hurry = asyncio.Event()
        self._settled = asyncio.Condition()
        self._taken_in = 0
        self._done = 0
        self._wanted = 0
        """How many of those that were taken in somebody waits for."""

    def offer(self, record: QueuedRecord) -> None:
        """Takes a record, or counts it as lost."""
        if not self._queue.offer(record):
            metrics.LEDGER_LOST.labels("queue_full").inc()
            return
        self._taken_in += 1
        metrics.LEDGER_QUEUE_BYTES.set(self._queue.size_bytes)
        self._waiting.set()
        if self._queue.fills_batch:
            self._hurry.set()

    async def flush(self) -> None:
        """Returns when all that was taken in before is written, or lost."""
        self._wanted = target = self._taken_in
        self._hurry.set()
        async with self._settled:
            await self._settled.wait_for(lambda: self._done >= target)

    async def run(self) -> None:
        """Writes, until it is cancelled."""
        while True:
            await self._waiting.wait()
            if not self._queue.fills_batch and self._done >= self._wanted:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_INTERVAL):
                        await self._hurry.wait()
            self._hurry.clear()
            taken = self._queue.take()
            metrics.LEDGER_QUEUE_BYTES.set(self._queue.size_bytes)
            if not self._queue:
                self._waiting.clear()
            await self._write(taken)
            async with self._settled:
                self._done += len(taken)
                self._settled.notify_all()

    def give_up(self) -> None:
        """Counts what is not written as lost."""
        metrics.LEDGER_LOST.labels("shutdown").inc(self._taken_in - self._done)

    async def _write(self, taken: Sequence[QueuedRecord]) -> None:
        by_tenant = defaultdict[str, list[QueuedRecord]](list)
        for record in taken:
            by_tenant[record.tenant].append(record)
        await asyncio.gather(*(self._write_tenant(tenant, records) for tenant, records in by_tenant.items()))

    async def _write_tenant(self, tenant: str, records: Sequence[QueuedRecord]) -> None:
        loop = asyncio.get_running_loop()
        try:
            bodies = await loop.run_in_executor(self._executor, self._compress, records)
            batch = Batch(tenant, bodies, self._clock, self._random)
            await self._write_until_done(batch)
        except Exception:  # noqa: BLE001 - a bug must not end all recording
            _log.exception("ledger_batch_failed")
            metrics.LEDGER_LOST.labels("failed").inc(len(records))

    async def _write_until_done(self, batch: Batch) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._attempt(batch)
            except ArchiveUnavailableError as error:
                if pause == _FIRST_PAUSE:
                    _log.warning("ledger_not_written", error=str(error))
                await asyncio.sleep(self._random.uniform(pause / 2, pause))
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    async def _attempt(self, batch: Batch) -> None:
        marks = await self._begin(batch)
        if not batch:
            return
        data, entries = await asyncio.get_running_loop().run_in_executor(self._executor, batch.pack)
        await self._archive.put(batch.tenant, batch.segment, data)
        metrics.LEDGER_RECORDS.inc(len(batch))
        try:
            if marks is None or not await self._index.commit(batch.tenant, batch.segment, entries, marks.generation):
                # Something may have been erased while the segment was written.
                await self._adoption.adopt(batch.tenant, batch.segment)
        except (CacheUnavailableError, ArchiveUnavailableError):
            self._adoption.later(batch.tenant, batch.segment)

    async def _begin(self, batch: Batch) -> Marks | None:
        """Notes the segment and takes out what was erased; None where the index is away."""
        tenant = batch.tenant
        try:
            while True:
                marks = await self._index.begin(tenant, batch.segment)
                erased = batch.take_out(marks)
                if erased:
                    await self._index.erase(tenant, erased)
                # The segment of before stays noted: an attempt that was thought lost may have written it. And more may
                # have been erased while this was.
                if not erased or not batch:
                    return marks
        except CacheUnavailableError:
            return None

    def _compress(self, records: Sequence[QueuedRecord]) -> list[Body]:
        # Many have the same: it is looked at once.
        facts = {common: self._facts.of(common) for common in {record.common for record in records} if common}
        return [compress(record.data, record.viewer, record.common, facts.get(record.common)) for record in records]
