"""The context cache against a real Valkey, alone and as a cluster's node, through the gateway's own wiring."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from services.gateway import app, redis_cache, redis_keys
from services.gateway.ports import CacheEntry, CacheLookup, CacheUnavailableError
from services.gateway.redis_cache import RedisContextCache
from services.gateway.settings import GatewaySettings
from tests.valkey import ALONE, CLUSTER, Valkey
from tests.waiting import eventually

KEYS = json.dumps({"keys": []})


@dataclass
class World:
    """A server, and a gateway's cache on it."""

    server: Valkey
    cache: RedisContextCache


@asynccontextmanager
async def gateway_cache(url: str, *, cluster: bool = False) -> AsyncIterator[RedisContextCache]:
    """The cache as the gateway makes it."""
    settings = GatewaySettings(port=0, keys=KEYS, redis_url=url, redis_cluster=cluster)
    async with AsyncExitStack() as stack:
        cache = await app._cache(settings, stack)
        assert isinstance(cache, RedisContextCache)
        yield cache


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with Redis.from_url(server.url) as redis:
        await redis.flushall()
    # What a request would not wait for, a test on a busy machine does.
    monkeypatch.setattr(app, "_REDIS_TIMEOUT", 20.0)
    async with gateway_cache(server.url, cluster=server.cluster) as cache:
        yield World(server, cache)


async def test_what_was_stored_is_found_with_its_version(world: World) -> None:
    entry = CacheEntry(bytes(range(256)), 7)
    assert await world.cache.lookup("acme", "a") == CacheLookup(None, None)
    await world.cache.store("acme", "a", entry)
    assert await world.cache.lookup("acme", "a") == CacheLookup(entry, None)  # a build may know an old version
    await world.cache.publish_version("acme", 7, removed=False)
    assert await world.cache.lookup("acme", "a") == CacheLookup(entry, 7)
    assert await world.cache.lookup("acme", "b") == CacheLookup(None, 7)


@pytest.mark.parametrize(
    ("announced", "known"),
    [
        pytest.param([3], 3, id="first"),
        pytest.param([3, 5], 5, id="newer"),
        pytest.param([5, 3], 5, id="late announcement of an older one"),
        pytest.param([0], 0, id="empty corpus"),
        pytest.param([1_795_531_022_249_995, 1_795_531_022_249_996], 1_795_531_022_249_996, id="microseconds"),
        pytest.param([1_795_531_022_249_996, 1_795_531_022_249_995], 1_795_531_022_249_996, id="microseconds, late"),
    ],
)
async def test_a_version_only_grows(world: World, announced: list[int], known: int) -> None:
    for version in announced:
        await world.cache.publish_version("acme", version, removed=False)
    assert (await world.cache.lookup("acme", "a")).corpus_version == known


async def test_a_version_grows_whatever_the_order_in_which_gateways_announce(world: World) -> None:
    versions = [1_795_531_022_249_000 + step for step in range(100)]
    random.Random(1).shuffle(versions)
    async with gateway_cache(world.server.url, cluster=world.server.cluster) as other:
        caches = [world.cache, other]
        await asyncio.gather(
            *(
                caches[index % 2].publish_version("acme", version, removed=False)
                for index, version in enumerate(versions)
            )
        )
    assert (await world.cache.lookup("acme", "a")).corpus_version == max(versions)


@pytest.mark.parametrize(
    ("published", "version", "found"),
    [
        pytest.param(8, 7, False, id="older: the corpus moved on while it was built"),
        pytest.param(7, 7, True, id="same"),
        pytest.param(6, 7, True, id="newer: the announcement was lost"),
    ],
)
async def test_an_entry_of_an_older_version_is_not_stored(
    world: World, published: int, version: int, found: bool
) -> None:
    await world.cache.publish_version("acme", published, removed=False)
    await world.cache.store("acme", "a", CacheEntry(b"reply", version))
    lookup = await world.cache.lookup("acme", "a")
    assert (lookup.entry is not None) is found
    assert lookup.corpus_version == published


async def test_an_entry_stays_but_its_version_tells_that_it_is_dead(world: World) -> None:
    await world.cache.store("acme", "a", CacheEntry(b"reply", 7))
    await world.cache.publish_version("acme", 8, removed=False)
    assert await world.cache.lookup("acme", "a") == CacheLookup(CacheEntry(b"reply", 7), 8)


async def test_a_version_is_forgotten_when_its_lease_ends_and_the_entry_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cache, "_VERSION_LEASE_MS", 50)
    await world.cache.store("acme", "a", CacheEntry(b"reply", 7))
    await world.cache.publish_version("acme", 7, removed=False)

    async def forgotten() -> bool:
        return (await world.cache.lookup("acme", "a")).corpus_version is None

    await eventually("the lease ends", forgotten)
    assert await world.cache.lookup("acme", "a") == CacheLookup(CacheEntry(b"reply", 7), None)


async def test_an_announcement_prolongs_the_lease(world: World) -> None:
    await world.cache.publish_version("acme", 7, removed=False)
    async with Redis.from_url(world.server.url) as redis:
        key = redis_keys.version_key("acme")
        assert await redis.pexpire(key, 1000)
        await world.cache.publish_version("acme", 7, removed=False)
        assert 1000 < await redis.pttl(key) <= redis_cache._VERSION_LEASE_MS


async def test_everything_expires(world: World) -> None:
    """Valkey evicts only what carries an expiry, and a cache must not fill it for good."""
    await world.cache.publish_version("acme", 7, removed=False)
    await world.cache.store("acme", "a", CacheEntry(b"reply", 7))
    async with Redis.from_url(world.server.url) as redis:
        keys = [key async for key in redis.scan_iter()]
        assert len(keys) == 2
        assert all([await redis.pttl(key) > 0 for key in keys])


async def test_tenants_are_apart(world: World) -> None:
    await world.cache.publish_version("acme", 7, removed=False)
    await world.cache.store("acme", "a", CacheEntry(b"ours", 7))
    assert await world.cache.lookup("other", "a") == CacheLookup(None, None)
    await world.cache.store("other", "a", CacheEntry(b"theirs", 9))
    assert await world.cache.lookup("acme", "a") == CacheLookup(CacheEntry(b"ours", 7), 7)
    await world.cache.publish_version("other", 10, removed=False)
    assert (await world.cache.lookup("acme", "a")).corpus_version == 7


@pytest.mark.parametrize("server", [CLUSTER], indirect=True)
@pytest.mark.parametrize("tenant", ["acme", "a", "x" * 63, "a-b_c"])
async def test_all_keys_of_a_tenant_are_in_one_slot(world: World, tenant: str) -> None:
    keys = [redis_keys.version_key(tenant), redis_keys.floor_key(tenant), redis_keys.selection_key(tenant, "0")]
    keys += [*(redis_keys.context_key(tenant, f"{n:040x}") for n in range(20))]
    async with Redis.from_url(world.server.url) as redis:
        slots = {await redis.execute_command("CLUSTER", "KEYSLOT", key) for key in keys}
    assert len(slots) == 1


async def floor_of(world: World, tenant: str) -> int | None:
    async with Redis.from_url(world.server.url) as redis:
        floor = await redis.get(redis_keys.floor_key(tenant))
    return None if floor is None else int(floor)


@pytest.mark.parametrize(
    ("announced", "floor"),
    [
        pytest.param([(7, False)], None, id="nothing was removed"),
        pytest.param([(7, True)], 7, id="removed"),
        pytest.param([(7, True), (8, False)], 7, id="then added"),
        pytest.param([(7, True), (8, True)], 8, id="removed twice"),
        pytest.param([(8, True), (7, True)], 8, id="late announcement of an older removal"),
        pytest.param([(8, False), (7, True)], 7, id="late announcement of a removal"),
        pytest.param([(1_795_531_022_249_995, True)], 1_795_531_022_249_995, id="microseconds"),
    ],
)
async def test_the_floor_grows_with_what_removes(
    world: World, announced: list[tuple[int, bool]], floor: int | None
) -> None:
    for version, removed in announced:
        await world.cache.publish_version("acme", version, removed=removed)
    assert await floor_of(world, "acme") == floor
    assert (await world.cache.lookup("acme", "a")).corpus_version == max(version for version, _ in announced)


async def test_the_floor_outlives_every_entry(world: World) -> None:
    await world.cache.publish_version("acme", 7, removed=True)
    longest = max(
        constraint.le
        for name in ("cache_ttl_seconds", "selection_ttl_seconds")
        for constraint in GatewaySettings.model_fields[name].metadata
        if hasattr(constraint, "le")
    )
    async with Redis.from_url(world.server.url) as redis:
        assert await redis.pttl(redis_keys.floor_key("acme")) > 1.1 * 1000 * longest


async def test_what_was_built_before_a_removal_is_not_stored_although_the_version_is_forgotten(world: World) -> None:
    await world.cache.publish_version("acme", 8, removed=True)
    async with Redis.from_url(world.server.url) as redis:
        await redis.delete(redis_keys.version_key("acme"))
    await world.cache.store("acme", "a", CacheEntry(b"reply", 7))
    assert (await world.cache.lookup("acme", "a")).entry is None
    await world.cache.store("acme", "a", CacheEntry(b"reply", 8))
    assert (await world.cache.lookup("acme", "a")).entry == CacheEntry(b"reply", 8)


@pytest.mark.parametrize("count", [0, 1, 7, 2500])
async def test_erasure_removes_all_that_a_tenant_has_and_nothing_of_another(
    world: World, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cache, "_ERASE_BATCH", 100)
    ours = [redis_keys.context_key("acme", str(number)) for number in range(count)]
    if ours:
        ours[0] = redis_keys.selection_key("acme", "0")  # what others of the gateway keep there goes, too
    theirs = [redis_keys.context_key(tenant, "0") for tenant in ("acme-2", "acm", "cme")]
    async with Redis.from_url(world.server.url) as redis:
        async with redis.pipeline(transaction=False) as pipeline:
            for key in (*ours, *theirs):
                pipeline.set(key, b"reply", ex=600)
            await pipeline.execute()
        assert await world.cache.erase("acme", 9) == count
        left = {key.decode() async for key in redis.scan_iter()}
    assert left == {*theirs, redis_keys.version_key("acme"), redis_keys.floor_key("acme")}
    assert await floor_of(world, "acme") == 9


async def test_a_reply_of_before_an_erasure_does_not_come_back(world: World) -> None:
    await world.cache.store("acme", "a", CacheEntry(b"old", 7))
    assert await world.cache.erase("acme", 8) == 1
    await world.cache.store("acme", "a", CacheEntry(b"old", 7))  # its build had begun before
    assert await world.cache.lookup("acme", "a") == CacheLookup(None, 8)


@pytest.mark.parametrize("fault", ["killed", "hangs"])
async def test_a_server_that_is_away_is_said_to_be_away_and_found_again(server: Valkey, fault: str) -> None:
    async with gateway_cache(server.url, cluster=server.cluster) as cache:

        async def works() -> bool:
            try:
                await cache.publish_version("lonely", 7, removed=False)
                await cache.store("lonely", "a", CacheEntry(b"reply", 7))
                return await cache.lookup("lonely", "a") == CacheLookup(CacheEntry(b"reply", 7), 7)
            except CacheUnavailableError:
                return False

        async def gives_up() -> bool:
            with pytest.raises(CacheUnavailableError):
                await cache.lookup("lonely", "a")
            return cache._breaker.state == "open"

        await eventually("the cache works", works)
        if fault == "killed":
            server.kill()
        else:
            server.signal(signal.SIGSTOP)
        try:
            await eventually("the breaker opens", gives_up, within=20)
            for call in (
                cache.lookup("lonely", "a"),
                cache.store("lonely", "a", CacheEntry(b"reply", 8)),
                cache.publish_version("lonely", 8, removed=False),
                cache.erase("lonely", 8),
            ):
                with pytest.raises(CacheUnavailableError, match="BreakerOpenError"):
                    await call
        finally:
            if fault == "killed":
                server.start()
            else:
                server.signal(signal.SIGCONT)
        await eventually("the cache works again", works)
        assert cache._breaker.state == "closed"


@asynccontextmanager
async def slow_proxy(port: int, seconds: float) -> AsyncIterator[int]:
    """A port whose replies come late."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        try:
            while data := await reader.read(65_536):
                await asyncio.sleep(delay * random.random())
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the other side left: what a cancelled command does
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        for task in (
            asyncio.create_task(pump(reader, behind_writer, 0)),
            asyncio.create_task(pump(behind_reader, writer, seconds)),
        ):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    proxy = await asyncio.start_server(serve, "127.0.0.1")
    try:
        yield proxy.sockets[0].getsockname()[1]
    finally:
        proxy.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# Nodes of a cluster rewrite their own logs.
@pytest.mark.parametrize("server", [ALONE], indirect=True)
async def test_what_was_erased_leaves_the_log_of_the_server_too(world: World) -> None:
    text = b"the heron eats 4711 fish"

    def is_in_log() -> bool:
        return any(text in file.read_bytes() for file in world.server.directory.rglob("*.aof") if file.is_file())

    await world.cache.store("acme", "a", CacheEntry(text, 1))
    await eventually("the log holds it", is_in_log)
    await world.cache.erase("acme", 2)
    await world.cache.forget_history()
    await eventually("the log is rewritten", lambda: not is_in_log())


# A cluster's client would ask the node at its own address, past the proxy.
@pytest.mark.parametrize("server", [ALONE], indirect=True)
async def test_replies_never_cross_although_commands_are_cancelled(world: World) -> None:
    names = [f"{number:03}" for number in range(50)]
    for number, name in enumerate(names):
        await world.cache.store(f"tenant-{name}", name, CacheEntry(f"reply {name}".encode(), number))
    wrong, right, cancelled = [], 0, 0
    chance = random.Random(7)

    async with slow_proxy(world.server.port, 0.02) as port:
        url = world.server.url.replace(f":{world.server.port}/", f":{port}/")
        async with gateway_cache(url) as cache:

            async def ask(name: str, patience: float | None) -> None:
                nonlocal right, cancelled
                expected = CacheLookup(CacheEntry(f"reply {name}".encode(), int(name)), int(name))
                try:
                    async with asyncio.timeout(patience):
                        found = await cache.lookup(f"tenant-{name}", name)
                except TimeoutError:
                    cancelled += 1
                    return
                if found == expected:
                    right += 1
                else:
                    wrong.append((name, found))

            async def worker() -> None:
                for _ in range(50):
                    await ask(chance.choice(names), chance.choice([None, 0.002, 0.005, 0.01]))

            for version in range(50):  # their leases must not end meanwhile
                await world.cache.publish_version(f"tenant-{version:03}", version, removed=False)
            await asyncio.gather(*(worker() for _ in range(10)))
    assert wrong == []
    assert right + cancelled == 500
    assert cancelled > 50
    assert right > 80
