"""Puts a ledger together."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random, SystemRandom
from typing import Any

from obstore.store import ObjectStore
from redis.asyncio import Redis, RedisCluster

from services.gateway.ledger.adoption import Adoption
from services.gateway.ledger.blanking import Blanking
from services.gateway.ledger.eraser import Eraser
from services.gateway.ledger.maintenance import Maintenance
from services.gateway.ledger.memory_index import MemoryIndex
from services.gateway.ledger.object_archive import ObjectArchive
from services.gateway.ledger.queue import RecordQueue
from services.gateway.ledger.reader import LedgerReader
from services.gateway.ledger.rebuilding import Rebuilding
from services.gateway.ledger.redis_index import RedisIndex
from services.gateway.ledger.stored_ledger import StoredLedger
from services.gateway.ledger.writer import LedgerWriter
from services.gateway.redis.calls import redis_breaker

_LAST_FLUSH_SECONDS = 2.0


@asynccontextmanager
async def open_ledger(
    storage: ObjectStore,
    redis: Redis | RedisCluster | None,
    *,
    days: float,
    max_records: int,
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
) -> AsyncIterator[StoredLedger]:
    """A ledger for as long as the context lasts; then what waits is written, for two seconds at most.

    Args:
        storage: where segments are kept.
        redis: where the index is kept; without it each gateway has an index of its own, so there may be one only.
        days: how long records are kept.
        max_records: newest records of a tenant that are kept.
        clock: seconds since 1970.
        random: for names and pauses; that of the operating system by default.
    """
    random = random or SystemRandom()
    archive = ObjectArchive(storage)
    async with AsyncExitStack() as stack:
        index = (
            MemoryIndex(days=days, max_records=max_records, clock=clock)
            if redis is None
            else RedisIndex(
                redis,
                await stack.enter_async_context(redis_breaker("ledger-index", redis)),
                days=days,
                max_records=max_records,
                clock=clock,
            )
        )
        executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="ledger"))
        blanking = Blanking(archive, index, executor)
        adoption = Adoption(archive, index, blanking)
        writer = LedgerWriter(archive, index, adoption, executor, clock=clock, random=random, queue=RecordQueue())
        rebuilding = Rebuilding(archive, index, adoption, days=days, max_records=max_records, clock=clock)
        maintenance = Maintenance(archive, index, adoption, rebuilding, days=days, clock=clock)
        async with rebuilding, _running(maintenance.run()), _writing(writer):
            eraser = Eraser(archive, index, blanking, writer, clock=clock)
            reader = LedgerReader(archive, index, adoption, rebuilding, executor, days=days, clock=clock)
            try:
                yield StoredLedger(writer, reader, eraser)
            finally:
                await eraser.close()


@asynccontextmanager
async def _writing(writer: LedgerWriter) -> AsyncIterator[None]:
    async with _running(writer.run()):
        try:
            yield
        finally:
            try:
                async with asyncio.timeout(_LAST_FLUSH_SECONDS):
                    await writer.flush()
            except TimeoutError:
                writer.give_up()


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
