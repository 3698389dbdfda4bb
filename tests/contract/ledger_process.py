"""A gateway's ledger in a process of its own, to be killed: records without end, and says what was flushed."""

import asyncio
import itertools
import sys
import time
from contextlib import AsyncExitStack

from redis.asyncio import Redis

from services.gateway.ledger.wiring import open_ledger
from services.gateway.storage import open_storage
from tests.unit.gateway.ledger.records import ADMIN, record


async def main(storage_url: str, redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(Redis.from_url(redis_url)) if redis_url else None
        ledger = await stack.enter_async_context(
            open_ledger(open_storage(storage_url), redis, days=7, max_records=100_000)
        )
        for number in itertools.count():
            one = record(number, f"doc-{number}.md", at=time.time())
            ledger.record(ADMIN, one)
            if number % 7 == 0:
                await ledger.flush()
                print(one.record_id, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
