"""Writers of a corpus take turns, by locks that a Redis which dies may keep."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis, RedisCluster

from services.selector.errors import StoreBusyError, StoreUnavailableError
from services.selector.weaviate.turns import Turns
from tests.valkey import Valkey
from tests.waiting import LONG


@asynccontextmanager
async def selector(server: Valkey, *, wait: float) -> AsyncIterator[Turns]:
    """The turns of one process."""
    kind = RedisCluster if server.cluster else Redis
    async with kind.from_url(server.url) as redis:
        turns = Turns(redis, prefix="scic", wait=wait)
        try:
            yield turns
        finally:
            await turns.close()


async def test_one_writes_at_a_time(server: Valkey) -> None:
    async with selector(server, wait=0.2) as one, selector(server, wait=0.2) as other:
        async with one.turn("acme"), other.turn("bolt"):
            with pytest.raises(StoreBusyError):
                await other.turn("acme").__aenter__()
        async with other.turn("acme"):
            pass


async def test_a_turn_during_which_redis_dies_is_over_when_it_is_back(server: Valkey) -> None:
    # Far less than the lease, after which any lock opens.
    async with selector(server, wait=10) as one, selector(server, wait=10) as other:
        async with one.turn("acme"):
            server.kill()
        server.start()
        async with other.turn("acme"):
            pass


async def test_a_writer_that_left_while_it_asked_for_its_turn_has_none(server: Valkey) -> None:
    async with selector(server, wait=10) as one, selector(server, wait=10) as other:
        asking = asyncio.create_task(one.turn("acme").__aenter__())
        await asyncio.sleep(0)
        while not asking.done():
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        async with other.turn("acme"):
            pass


async def test_a_redis_that_is_away_refuses_writers(server: Valkey) -> None:
    async with selector(server, wait=1) as turns:
        server.kill()
        try:
            async with asyncio.timeout(LONG):
                with pytest.raises(StoreUnavailableError):
                    await turns.turn("acme").__aenter__()
        finally:
            server.start()
