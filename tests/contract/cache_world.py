"""The caches on a real server, alone or as a cluster's node, and what tests do to them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

import pytest
from redis.asyncio import Redis, RedisCluster

from services.chassis.breaker import Breaker
from services.gateway.cache.keys import cache_keys, flight_key
from services.gateway.cache.ports import CacheEntry, CacheKey, CorpusChange, Freshness, Hit, Lead
from services.gateway.cache.redis_cache import RedisContextCache
from services.gateway.cache.redis_selections import RedisSelectionCache
from services.gateway.redis import calls as redis_calls
from services.gateway.redis.calls import Patience
from tests.valkey import Valkey

V = 1_795_531_022_249_995
"""A version, in microseconds: no float of 32 bits holds it, and neither does a number that Lua writes by itself."""

ANY = Freshness()

A, B = CacheKey("a"), CacheKey("b")

LONG_MS = 10 * 60 * 1000


class Options(TypedDict, total=False):
    """What a cache may be told."""

    ttl_seconds: float
    new_documents_seconds: float
    max_bytes: int


@dataclass
class CacheWorld:
    """A gateway's caches, and the server behind them."""

    server: Valkey
    redis: Any
    """A client for what no gateway does; its types do not tell bytes from text."""
    client: Redis | RedisCluster
    cache: RedisContextCache
    selections: RedisSelectionCache

    def other(self, **options: Unpack[Options]) -> "CacheWorld":
        """The same server as another gateway sees it."""
        return replace(self, **_caches(self.client, options))

    async def put(self, key: CacheKey, entry: CacheEntry, *, tenant: str = "acme") -> None:
        """Has an entry made, and its version confirmed."""
        assert await self.begin(key, tenant=tenant) == Lead()
        await self.cache.settle(tenant, key, flight="f", entry=entry, shared=None)
        await self.cache.confirm(tenant, entry.corpus_version)

    async def begin(self, key: CacheKey, *, flight: str = "f", tenant: str = "acme") -> object:
        """Begins a computation, whatever is stored."""
        return await self.cache.claim(tenant, key, ANY, flight=flight, lease=60, look=False)

    async def found(self, key: CacheKey = A, freshness: Freshness = ANY, *, tenant: str = "acme") -> bytes | None:
        """The reply that a request gets from the cache; None where it gets none."""
        match await self.cache.lookup(tenant, key, freshness):
            case Hit(reply):
                return reply.serialized
            case None:
                return None
            case other:
                pytest.fail(f"it was to be verified: {other}")

    async def change(self, version: int, *names: str, before: int | None = None, unnamed: bool = False) -> None:
        """A write is announced."""
        previous = version - 1 if before is None else before
        await self.cache.advance("acme", CorpusChange(previous, version, names, unnamed=unnamed))

    async def state(self) -> dict[str, str]:
        """What is known of the tenant's corpus."""
        return {name.decode(): value.decode() for name, value in (await self.redis.hgetall(STATE)).items()}

    async def fields(self, prefix: str) -> set[str]:
        """Names of the entries of one kind."""
        names: list[bytes] = await self.redis.hkeys(ENTRIES)
        return {name.decode().removeprefix(prefix) for name in names if name.decode().startswith(prefix)}

    async def end_trust(self) -> None:
        """Time goes by since the version was last confirmed."""
        await self.redis.hdel(STATE, "until")

    async def age_flight(self, key: CacheKey, milliseconds: int) -> None:
        """Time goes by since a leader was last heard of."""
        name = flight_key("acme", key.exact)
        until = int(await self.redis.hget(name, "until"))
        await self.redis.hset(name, "until", until - milliseconds)


STATE, CHANGES, ENTRIES, ALIASES, USED, EXPIRIES = cache_keys("acme")


def entry(reply: bytes = b"reply", version: int = V, *names: str, seconds: float = 0.0) -> CacheEntry:
    return CacheEntry(reply, version, list(names), seconds)


def _caches(client: Redis | RedisCluster, options: Options) -> dict[str, Any]:
    ttl, bound = options.get("ttl_seconds", 600.0), options.get("max_bytes", 1 << 20)
    return {
        "cache": RedisContextCache(
            client,
            Breaker("cache"),
            ttl_seconds=ttl,
            new_documents_seconds=options.get("new_documents_seconds", 60.0),
            max_bytes=bound,
        ),
        "selections": RedisSelectionCache(client, Breaker("selections"), ttl_seconds=ttl, max_bytes=bound),
    }


@asynccontextmanager
async def cache_world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CacheWorld]:
    """An empty server, and caches on it."""
    # What a request would not wait for, a test on a busy machine does.
    patience = Patience(seconds=20.0, slow_seconds=20.0)
    monkeypatch.setattr(redis_calls, "ON_THE_PATH", patience)
    kind = RedisCluster if server.cluster else Redis
    async with Redis.from_url(server.url) as redis, kind.from_url(server.url) as client:
        await redis.flushall()
        yield CacheWorld(server, redis, client, **_caches(client, {}))


def names(count: int) -> Sequence[str]:
    """Names of documents."""
    return [f"document-{number}" for number in range(count)]
