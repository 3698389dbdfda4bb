"""The context cache in Redis, or anything that speaks its protocol."""

import random
import struct
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from services.chassis.breaker import Breaker, BreakerOpenError
from services.chassis.logs import get_logger
from services.gateway.ports import CacheEntry, CacheLookup, CacheUnavailableError

_Result = TypeVar("_Result")

_log = get_logger(__name__)

_VERSION_LEASE_MS = 5_000
"""How long a version may be trusted without asking the selector again. It bounds the harm of a write whose
announcement could not reach Redis."""

_HEADER = struct.Struct(">q")

_RAISE_VERSION = """
local known = tonumber(redis.call('GET', KEYS[1]) or '-1')
local version = math.max(known, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%d', version), 'PX', ARGV[2])
return version
"""
"""Versions only grow, whatever the order in which gateways announce them."""

_STORE = """
local known = tonumber(redis.call('GET', KEYS[1]) or '-1')
if known > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
"""
"""An entry of an older version than the known one is not stored. The lease is not renewed here: a build may have begun
before a write that was announced meanwhile, so what it knows of the version may be old."""


class RedisContextCache:
    """Entries under `scic:{tenant}:context:<fingerprint>`, the corpus version under `scic:{tenant}:version`.

    The braces make both keys of a tenant fall into one slot, so one round trip and one script serve on Redis Cluster
    too.
    """

    def __init__(self, redis: Redis | RedisCluster, breaker: Breaker, *, ttl_seconds: float) -> None:
        self._redis = redis
        self._breaker = breaker
        self._ttl_ms = int(ttl_seconds * 1000)
        self._raise_version = redis.register_script(_RAISE_VERSION)
        self._store = redis.register_script(_STORE)

    async def lookup(self, tenant: str, fingerprint: str) -> CacheLookup:
        """See ContextCache."""
        keys = [_version_key(tenant), _entry_key(tenant, fingerprint)]
        version, value = await self._call(lambda: self._redis.mget(keys))
        entry = _entry(value) if isinstance(value, bytes) else None
        return CacheLookup(entry, int(version) if version else None)

    async def store(self, tenant: str, fingerprint: str, entry: CacheEntry) -> None:
        """See ContextCache. Entries live a tenth longer or shorter, so that they do not all die at once."""
        ttl = int(self._ttl_ms * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, not a secret
        value = _HEADER.pack(entry.corpus_version) + entry.reply
        keys = [_version_key(tenant), _entry_key(tenant, fingerprint)]
        await self._call(lambda: self._store(keys=keys, args=[entry.corpus_version, value, ttl]))

    async def publish_version(self, tenant: str, corpus_version: int) -> None:
        """See ContextCache."""
        await self._call(
            lambda: self._raise_version(keys=[_version_key(tenant)], args=[corpus_version, _VERSION_LEASE_MS])
        )

    async def _call(self, command: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            with self._breaker.calling():
                return await command()
        except (RedisError, RedisClusterException, OSError, BreakerOpenError) as error:
            if not isinstance(error, BreakerOpenError):
                # What is wrong, a password say, stands nowhere else; the breaker bounds how often it is said.
                _log.warning("redis_failed", error=type(error).__name__)
            raise CacheUnavailableError(f"redis: {type(error).__name__}") from error


def _entry(value: bytes) -> CacheEntry:
    return CacheEntry(value[_HEADER.size :], _HEADER.unpack_from(value)[0])


def _version_key(tenant: str) -> str:
    return f"scic:{{{tenant}}}:version"


def _entry_key(tenant: str, fingerprint: str) -> str:
    return f"scic:{{{tenant}}}:context:{fingerprint}"
