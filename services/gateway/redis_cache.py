"""The context cache in Redis, or anything that speaks its protocol."""

import struct

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from services.chassis.breaker import Breaker, BreakerOpenError
from services.chassis.logs import get_logger
from services.gateway.ports import CacheEntry, CacheLookup
from services.gateway.redis_calls import call, jittered
from services.gateway.redis_keys import FLOOR_TTL_MS, all_keys, context_key, floor_key, version_key

_VERSION_LEASE_MS = 5_000
"""How long a version may be trusted without asking the selector again. It bounds the harm of a write whose
announcement could not reach Redis."""

_log = get_logger(__name__)

_HEADER = struct.Struct(">q")

_ERASE_BATCH = 1000
"""Keys that one command looks at, and removes at most: no command may hold Redis up."""

_RAISE = """
local function raise(key, lease)
  local known = tonumber(redis.call('GET', key) or '-1')
  redis.call('SET', key, string.format('%d', math.max(known, tonumber(ARGV[1]))), 'PX', lease)
end
raise(KEYS[1], ARGV[2])
if ARGV[3] == '1' then raise(KEYS[2], ARGV[4]) end
"""
"""Versions only grow, whatever the order in which gateways announce them; the floor grows with what removes."""

_STORE = """
for _, known in ipairs(redis.call('MGET', KEYS[1], KEYS[2])) do
  if known and tonumber(known) > tonumber(ARGV[1]) then return 0 end
end
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
return 1
"""
"""An entry of an older version than the known one, or than the floor, is not stored. The lease is not renewed here: a
build may have begun before a write that was announced meanwhile, so what it knows of the version may be old."""


class RedisContextCache:
    """Replies, the corpus version and its floor, under the names of `redis_keys`."""

    def __init__(self, redis: Redis | RedisCluster, breaker: Breaker, *, ttl_seconds: float) -> None:
        self._redis = redis
        self._breaker = breaker
        self._ttl_ms = int(ttl_seconds * 1000)
        self._raise_version = redis.register_script(_RAISE)
        self._store = redis.register_script(_STORE)

    async def lookup(self, tenant: str, fingerprint: str) -> CacheLookup:
        """See ContextCache."""
        keys = [version_key(tenant), context_key(tenant, fingerprint)]
        version, value = await call(self._breaker, lambda: self._redis.mget(keys))
        entry = _entry(value) if isinstance(value, bytes) else None
        return CacheLookup(entry, int(version) if version else None)

    async def store(self, tenant: str, fingerprint: str, entry: CacheEntry) -> None:
        """See ContextCache."""
        ttl = jittered(self._ttl_ms)
        value = _HEADER.pack(entry.corpus_version) + entry.reply
        keys = [version_key(tenant), floor_key(tenant), context_key(tenant, fingerprint)]
        await call(self._breaker, lambda: self._store(keys=keys, args=[entry.corpus_version, value, ttl]))

    async def publish_version(self, tenant: str, corpus_version: int, *, removed: bool) -> None:
        """See ContextCache."""
        keys = [version_key(tenant), floor_key(tenant)]
        args = [corpus_version, _VERSION_LEASE_MS, int(removed), FLOOR_TTL_MS]
        await call(self._breaker, lambda: self._raise_version(keys=keys, args=args))

    async def erase(self, tenant: str, corpus_version: int) -> int:
        """See ContextCache. Removes all that the tenant has in Redis, whoever keeps it there."""
        await self.publish_version(tenant, corpus_version, removed=True)
        return await call(self._breaker, lambda: self._unlink_all(tenant))

    async def forget_history(self) -> None:
        """See ContextCache. Redis rewrites its append-only file in the background; nodes of a cluster see to theirs."""
        if isinstance(self._redis, RedisCluster):
            return
        try:
            with self._breaker.calling():
                if (await self._redis.info("persistence")).get("aof_enabled"):
                    await self._redis.bgrewriteaof()
        except (RedisError, OSError, BreakerOpenError) as error:
            # One may be under way, or the user may not ask for it: then it goes with the next one.
            _log.info("redis_log_not_rewritten", error=type(error).__name__)

    async def _unlink_all(self, tenant: str) -> int:
        kept = {version_key(tenant).encode(), floor_key(tenant).encode()}
        removed, batch = 0, list[bytes]()
        # On a cluster this asks every primary: while slots move, a tenant's keys may lie on two.
        async for key in self._redis.scan_iter(match=all_keys(tenant), count=_ERASE_BATCH):
            if key not in kept:
                batch.append(key)
            if len(batch) >= _ERASE_BATCH:
                removed += await self._redis.unlink(*batch)
                batch.clear()
        return removed + (await self._redis.unlink(*batch) if batch else 0)


def _entry(value: bytes) -> CacheEntry:
    return CacheEntry(value[_HEADER.size :], _HEADER.unpack_from(value)[0])
