"""Writers of a corpus take turns, by locks that a Redis which dies may keep."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.lock import Lock

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
        for turns in (one, other):
            async with turns.turn("warm"):
                pass
        server.signal(signal.SIGSTOP)
        asking = asyncio.create_task(one.turn("acme").__aenter__())
        await asyncio.sleep(0.3)  # so that it is on its way
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        server.signal(signal.SIGCONT)
        async with other.turn("acme"):
            pass


async def test_a_turn_whose_answer_was_lost_is_over_soon(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """What redis-py asks again when a connection breaks, it takes for somebody else's."""
    acquire = Lock.do_acquire

    async def taken_unheard(lock: Lock, token: bytes) -> bool:
        return await acquire(lock, token) and False

    async with selector(server, wait=0.2) as one, selector(server, wait=10) as other:
        with monkeypatch.context() as patch:
            patch.setattr(Lock, "do_acquire", taken_unheard)
            with pytest.raises(StoreBusyError):
                await one.turn("acme").__aenter__()
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
