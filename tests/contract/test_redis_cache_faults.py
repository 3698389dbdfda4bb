"""The cache and a Valkey that is killed, hangs, is slow, or keeps a log of what was erased."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from services.chassis.breaker import Breaker
from services.gateway.cache.keys import cache_keys
from services.gateway.cache.packing import pack
from services.gateway.cache.ports import CacheUnavailableError, CorpusChange, Hit
from services.gateway.cache.redis_cache import RedisContextCache
from services.gateway.redis import calls as redis_calls
from services.gateway.redis.calls import Patience
from tests.contract.cache_world import (
    ANY,
    A,
    CacheWorld,
    V,
    cache_world,
    entry,
)
from tests.delaying_proxy import delaying_proxy
from tests.valkey import ALONE, Valkey
from tests.waiting import eventually


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CacheWorld]:
    async with cache_world(server, monkeypatch) as world:
        yield world


@pytest.mark.parametrize("fault", ["killed", "hangs"])
async def test_a_server_that_is_away_is_said_to_be_away_and_found_again(
    world: CacheWorld, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_calls, "ON_THE_PATH", Patience(seconds=1.0, slow_seconds=1.0))

    async def works() -> bool:
        with suppress(CacheUnavailableError):
            await world.put(A, entry())
            return await world.found() == b"reply"
        return False

    breaker = Breaker("lonely", reset_timeout=0.2)
    cache = RedisContextCache(world.client, breaker, ttl_seconds=60, new_documents_seconds=60, max_bytes=1 << 20)
    world.cache = cache
    await eventually("the cache works", works)
    world.server.kill() if fault == "killed" else world.server.signal(signal.SIGSTOP)
    calls = (
        lambda: cache.lookup("acme", A, ANY),
        lambda: cache.claim("acme", A, ANY, flight="f", lease=1, look=True),
        lambda: cache.renew("acme", A, flight="f", lease=1),
        lambda: cache.settle("acme", A, flight="f", entry=entry(), shared=None),
        lambda: cache.advance("acme", CorpusChange(V, V + 1)),
        lambda: cache.confirm("acme", V),
        lambda: cache.erase_documents("acme", CorpusChange(V, V + 1, ["x"])),
        lambda: cache.erase_tenant("acme", V),
        lambda: cache.flush("acme"),
        lambda: cache.stats("acme"),
    )
    try:
        for call in calls:
            with pytest.raises(CacheUnavailableError):
                async with asyncio.timeout(30):
                    await call()
        await cache.forget_history()
    finally:
        world.server.start() if fault == "killed" else world.server.signal(signal.SIGCONT)
    await eventually("the cache works again", works)


# Nodes of a cluster rewrite their own logs.
@pytest.mark.parametrize("server", [ALONE], indirect=True)
async def test_what_was_erased_leaves_the_log_of_the_server_too(world: CacheWorld) -> None:
    text = random.Random(4711).randbytes(40)
    packed = pack(text)

    def is_in_log() -> bool:
        return any(packed in file.read_bytes() for file in world.server.directory.rglob("*.aof") if file.is_file())

    await world.put(A, entry(text, V, "x"))
    await eventually("the log holds it", is_in_log)
    await world.cache.erase_documents("acme", CorpusChange(V, V + 1, ["x"]))
    await world.cache.forget_history()
    await eventually("the log is rewritten", lambda: not is_in_log())


# A cluster's client would ask the node at its own address, past the proxy.
@pytest.mark.parametrize("server", [ALONE], indirect=True)
async def test_replies_never_cross_although_commands_are_cancelled(world: CacheWorld) -> None:
    tenants = [f"tenant-{number:03}" for number in range(50)]
    for tenant in tenants:
        await world.put(A, entry(f"reply of {tenant}".encode()), tenant=tenant)
    wrong, right, cancelled = [], 0, 0
    chance = random.Random(7)

    async with delaying_proxy(world.server.port) as proxy, Redis.from_url(proxy.url(world.server.url)) as redis:
        breaker = Breaker("crossing", fail_max=10**9)
        cache = RedisContextCache(redis, breaker, ttl_seconds=600, new_documents_seconds=60, max_bytes=1 << 20)

        async def ask(tenant: str, patience: float | None) -> None:
            nonlocal right, cancelled
            proxy.delay = 0.005 * chance.random()
            await world.redis.hset(cache_keys(tenant)[0], "until", 1000 * (await world.redis.time())[0] + 4_000)
            try:
                async with asyncio.timeout(patience):
                    found = await cache.lookup(tenant, A, ANY)
            except TimeoutError:
                cancelled += 1
                return
            if isinstance(found, Hit) and found.reply.serialized == f"reply of {tenant}".encode():
                right += 1
            else:
                wrong.append((tenant, found))

        async def worker() -> None:
            for _ in range(50):
                await ask(chance.choice(tenants), chance.choice([None, 0.002, 0.005, 0.01]))

        await asyncio.gather(*(worker() for _ in range(10)))
    assert wrong == []
    assert right + cancelled == 500
    assert cancelled > 50
    assert right > 80
