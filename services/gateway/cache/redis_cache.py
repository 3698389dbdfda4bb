"""The context cache in Redis, or anything that speaks its protocol."""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

from redis.asyncio import Redis, RedisCluster

from scic.gateway.v1 import cache_pb2, cache_service_pb2
from services.chassis import metrics
from services.chassis.breaker import Breaker
from services.chassis.logs import get_logger
from services.gateway.cache import redis_scripts as scripts
from services.gateway.cache.held_replies import Held, HeldReplies
from services.gateway.cache.keys import cache_keys, flight_key, flight_topic
from services.gateway.cache.packing import MAX_ENTRY_BYTES, UnreadableError, digests, new_epoch, pack
from services.gateway.cache.ports import (
    CacheEntry,
    CacheKey,
    CacheUnavailableError,
    CorpusChange,
    Freshness,
    Hit,
    Lead,
    Shared,
    Unverified,
    Wait,
)
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.redis.batches import script_call
from services.gateway.redis.calls import BEHIND, call, jittered
from services.gateway.redis.signals import CHANNEL

_log = get_logger(__name__)

_MAX_NAMED = 2_000
"""Documents of one change, or of one entry: a script must not hold Redis up. A change of more counts as one of all, and
an entry of more is not stored."""

_Argument: TypeAlias = "str | int | bytes"

_TIERS = (cache_pb2.CACHE_TIER_EXACT, cache_pb2.CACHE_TIER_SEMANTIC)


class RedisContextCache:
    """Replies under the names of `keys`; what is done to them is written in `redis_scripts`."""

    def __init__(
        self,
        redis: Redis | RedisCluster,
        breaker: Breaker,
        *,
        ttl_seconds: float,
        new_documents_seconds: float,
        max_bytes: int,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`ttl_seconds` is the life of an entry, `new_documents_seconds` that of one whose corpus has moved on since.

        `draw` gives numbers from 0 up to 1.
        """
        self._redis = redis
        self._breaker = breaker
        self._ttl_ms = _milliseconds(ttl_seconds)
        self._new_documents_ms = _milliseconds(new_documents_seconds)
        self._max_bytes = max_bytes
        self._draw = draw
        self._held = HeldReplies()
        self._lookup = script_call(redis, breaker, scripts.LOOKUP)
        self._claim = script_call(redis, breaker, scripts.CLAIM)
        self._renew = redis.register_script(scripts.RENEW)
        self._settle = redis.register_script(scripts.SETTLE)
        self._advance = redis.register_script(scripts.ADVANCE)
        self._confirm = redis.register_script(scripts.CONFIRM)
        self._sweep = redis.register_script(scripts.SWEEP)
        self._clear = redis.register_script(scripts.CLEAR)
        self._stats = redis.register_script(scripts.STATS)

    async def lookup(self, tenant: str, key: CacheKey, freshness: Freshness) -> Hit | Unverified | None:
        """See ContextCache."""
        held = self._held.get((tenant, key.exact))
        stale, *words = await self._lookup(cache_keys(tenant), self._demand(key, freshness, held))
        if stale:
            metrics.CACHE_STALE.inc(stale)
        match words:
            case [b"hit", *found]:
                with _unreadable_is_stale():
                    return self._hit((tenant, key.exact), held, *found)
            case [b"unverified"]:
                return Unverified()
        return None

    async def claim(
        self,
        tenant: str,
        key: CacheKey,
        freshness: Freshness,
        *,
        flight: str,
        lease: float,
        look: bool,
        waited: float | None = None,
    ) -> Hit | Shared | Lead | Wait | Unverified:
        """See ContextCache."""
        keys = [*cache_keys(tenant), flight_key(tenant, key.exact)]
        held = self._held.get((tenant, key.exact))
        args = [*self._demand(key, freshness, held), flight, _milliseconds(lease), int(look), new_epoch()]
        args.append(-1 if waited is None else math.ceil(waited * 1000))
        stale, *words = await self._claim(keys, args)
        if stale:
            metrics.CACHE_STALE.inc(stale)
        match words:
            case [b"lead"]:
                return Lead()
            case [b"wait", int(milliseconds)]:
                return Wait(milliseconds / 1000)
            case [b"unverified"]:
                return Unverified()
        with _unreadable_is_stale():
            match words:
                case [b"hit", *found]:
                    return self._hit((tenant, key.exact), held, *found)
                case [_, bytes(packed)]:
                    return Shared(StoredReply.read(packed))
        # Whoever leads now puts another in its place.
        return await self.claim(tenant, key, freshness, flight=flight, lease=lease, look=False)

    async def renew(self, tenant: str, key: CacheKey, *, flight: str, lease: float) -> bool:
        """See ContextCache."""
        keys = [flight_key(tenant, key.exact)]
        args: list[_Argument] = [flight, _milliseconds(lease)]
        return bool(await call(self._breaker, lambda: self._renew(keys=keys, args=args)))

    async def settle(
        self, tenant: str, key: CacheKey, *, flight: str, entry: CacheEntry | None, shared: bytes | None
    ) -> bool:
        """See ContextCache. A reply that is too large to be kept is handed to those who wait all the same."""
        kind, packed = "none", b""
        about: list[_Argument] = [-1, 0, 0, b""]
        if entry is not None:
            packed = pack(entry.reply)
            named = {*entry.document_ids}
            kind = "entry"
            if len(packed) > min(self._max_bytes // 2, MAX_ENTRY_BYTES) or len(named) > _MAX_NAMED:
                kind = "shared"
            if len(named) <= _MAX_NAMED:
                about = [
                    entry.corpus_version,
                    min(_milliseconds(entry.build_seconds), 2**32 - 1),
                    jittered(self._ttl_ms),
                    digests(named),
                ]
        elif shared is not None:
            kind, packed = "shared", pack(shared)
        keys = [*cache_keys(tenant), flight_key(tenant, key.exact)]
        args: list[_Argument] = [key.exact, key.meaning, flight, kind, packed, self._max_bytes]
        args += [*about, CHANNEL, flight_topic(tenant, key.exact)]
        return bool(await call(self._breaker, lambda: self._settle(keys=keys, args=args), BEHIND))

    async def advance(self, tenant: str, change: CorpusChange) -> None:
        """See ContextCache."""
        named = {*change.document_ids}
        unnamed = change.unnamed or len(named) > _MAX_NAMED
        args: list[_Argument] = [new_epoch(), change.previous_version, change.corpus_version]
        args += [int(unnamed), b"" if unnamed else digests(named)]
        await call(self._breaker, lambda: self._advance(keys=cache_keys(tenant), args=args), BEHIND)

    async def confirm(self, tenant: str, corpus_version: int) -> None:
        """See ContextCache."""
        args: list[_Argument] = [new_epoch(), corpus_version]
        await call(self._breaker, lambda: self._confirm(keys=cache_keys(tenant), args=args))

    async def erase_documents(self, tenant: str, change: CorpusChange) -> int:
        """See ContextCache. It goes through what the tenant has, in steps of a few MB."""
        try:
            await self.advance(tenant, change)
        finally:
            self._held.drop_tenant(tenant)
        named = {*change.document_ids}
        everything = change.unnamed or len(named) > _MAX_NAMED
        if not named and not everything:
            return 0
        below, names = (change.corpus_version, b"") if everything else (0, digests(named))
        gone, position, left = 0, b"0", list[bytes]()
        while True:
            step = partial(self._sweep, keys=cache_keys(tenant), args=[position, below, names, *left])
            position, count, *left = await call(self._breaker, step, BEHIND)
            gone += int(count)
            if position == b"0" and not left:
                return gone

    async def erase_tenant(self, tenant: str, corpus_version: int) -> int:
        """See ContextCache."""
        await self.advance(tenant, CorpusChange(corpus_version, corpus_version, unnamed=True))
        return await self.flush(tenant)

    async def flush(self, tenant: str) -> int:
        """See ContextCache."""
        clear = partial(self._clear, keys=cache_keys(tenant), args=[new_epoch()])
        try:
            return int(await call(self._breaker, clear, BEHIND))
        finally:
            self._held.drop_tenant(tenant)

    async def stats(self, tenant: str) -> cache_service_pb2.GetCacheStatsResponse:
        """See ContextCache."""
        exact, semantic, misses, stale, evicted, since, count, size = await call(
            self._breaker, lambda: self._stats(keys=cache_keys(tenant)), BEHIND
        )
        response = cache_service_pb2.GetCacheStatsResponse(
            entry_count=count,
            size_bytes=size,
            max_bytes=self._max_bytes,
            miss_count=misses,
            stale_count=stale,
            evicted_count=evicted,
        )
        for tier, hits in zip(_TIERS, (exact, semantic), strict=True):
            response.tiers.add(tier=tier, hit_count=hits)
        if since:
            response.start_time.FromMilliseconds(since)
        return response

    async def forget_history(self) -> None:
        """See ContextCache. Redis rewrites its append-only file in the background; nodes of a cluster see to theirs."""
        if isinstance(self._redis, RedisCluster):
            return
        redis = self._redis
        try:
            if (await call(self._breaker, lambda: redis.info("persistence"), BEHIND)).get("aof_enabled"):
                await call(self._breaker, redis.bgrewriteaof, BEHIND)
        except CacheUnavailableError as error:
            # One may be under way, or the user may not ask for it: then it goes with the next one.
            _log.info("redis_log_not_rewritten", error=type(error).__name__)

    def _demand(self, key: CacheKey, freshness: Freshness, held: Held | None) -> list[_Argument]:
        age = -1 if freshness.max_age is None else _milliseconds(freshness.max_age)
        tag = held.tag if held else b""
        return [key.exact, key.meaning, freshness.min_corpus_version, age, self._new_documents_ms, tag]

    def _hit(
        self,
        name: tuple[str, str],
        held: Held | None,
        tier: int,
        age_ms: int,
        build_ms: int,
        left_ms: int,
        tag: bytes,
        packed: bytes = b"",
    ) -> Hit:
        # XFetch, of A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal probabilistic cache stampede prevention",
        # VLDB 2015, with beta = 1: the dearer an entry and the nearer its end, the likelier somebody makes it anew.
        due = -build_ms * math.log(1 - self._draw()) >= left_ms
        reply = StoredReply.read(packed) if held is None or held.tag != tag else held.reply
        self._held.keep(name, reply, tag)
        return Hit(reply, _TIERS[tier - 1], age_ms / 1000, due)


@contextmanager
def _unreadable_is_stale() -> Iterator[None]:
    """What cannot be unpacked counts as none."""
    try:
        yield
    except UnreadableError:
        metrics.CACHE_STALE.inc()


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
