"""The ledger's index in Redis, or anything that speaks its protocol."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from uuid import uuid4

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.lock import Lock

from services.chassis.breaker import Breaker
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.ledger import redis_scripts
from services.gateway.ledger.entry import Entry, dumps, loads
from services.gateway.ledger.index import Lease, Status
from services.gateway.ledger.marks import Marks
from services.gateway.ledger.record_id import first_record_id
from services.gateway.redis.calls import BEHIND, Patience, call

_EVERYTHING = "*"
_STRAY_MS = 30_000
"""A segment that was begun is written within some seconds, or begun again."""

_CLAIM_MS = 60_000
_TURN_SECONDS = 60.0
_TURN_WAIT_SECONDS = 10.0
_TURN = Patience(seconds=_TURN_WAIT_SECONDS + BEHIND.seconds, slow_seconds=math.inf)
"""Who waits until another one is done is not waiting for Redis."""

_Result = TypeVar("_Result")


class RedisIndex:
    """Entries under names of its own: what empties the cache leaves them alone. See `redis_scripts` for how they lie.

    Args:
        redis: one server, or a cluster: all keys of a tenant share a slot.
        breaker: spares a server that fails.
        days: how long a record is kept.
        max_records: newest records of a tenant that are kept.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster,
        breaker: Breaker,
        *,
        days: float,
        max_records: int,
        clock: Callable[[], float],
    ) -> None:
        self._redis = redis
        self._breaker = breaker
        self._life_ms = int(days * 86_400_000)
        self._max_records = max_records
        self._clock = clock
        self._claims_as = uuid4().hex
        self._marks: dict[str, Marks] = {}
        self._begin = redis.register_script(redis_scripts.BEGIN)
        self._commit = redis.register_script(redis_scripts.COMMIT)
        self._erase = redis.register_script(redis_scripts.ERASE)
        self._mark = redis.register_script(redis_scripts.MARK)
        self._status = redis.register_script(redis_scripts.STATUS)
        self._complete = redis.register_script(redis_scripts.COMPLETE)

    async def begin(self, tenant: str, segment: str) -> Marks:
        """See Index."""
        keys = [_key(tenant, "pending"), _key(tenant, "generation")]
        args: list[str | int] = [segment, self._now(), self._life_ms]
        generation = int(await self._ask(lambda: self._begin(keys=keys, args=args)))
        known = self._marks.get(tenant, Marks())
        if known.generation != generation:
            # A mark may be newer than the generation: then `commit` refuses, and the next `begin` reads them again.
            known = await self._read_marks(tenant, generation)
            self._marks[tenant] = known
        return known

    async def commit(self, tenant: str, segment: str, entries: Sequence[Entry], generation: int) -> bool:
        """See Index."""
        keys = [_key(tenant, name) for name in ("ids", "entries", "pending", "generation")]
        oldest = first_record_id(self._oldest_ms())
        args: list[str | int] = [segment, generation, self._max_records, oldest, self._life_ms]
        for entry in entries:
            request = "" if entry.erased else _line(entry.row().request_id)
            args += [entry.record_id, request, _value(entry, request)]
        return bool(await self._ask(lambda: self._commit(keys=keys, args=args)))

    async def forget(self, tenant: str, segment: str) -> None:
        """See Index."""
        await self._ask(lambda: self._redis.zrem(_key(tenant, "pending"), segment))

    async def find(self, tenant: str, name: str) -> list[Entry]:
        """See Index."""
        entries = _key(tenant, "entries")
        own, names = await self._ask(lambda: self._redis.hmget(entries, [f"r:{name}", f"q:{name}"]))
        if own is not None:
            return [_entry(own)]
        return await self._entries(tenant, sorted(_text(names).split(","), reverse=True)) if names else []

    async def page(self, tenant: str, before: str, count: int) -> list[Entry]:
        """See Index."""
        ids = _key(tenant, "ids")
        names = await call(
            self._breaker,
            lambda: self._redis.zrevrangebylex(ids, f"({before or '~'}", "-", start=0, num=count),
        )
        return await self._entries(tenant, [_text(name) for name in names])

    async def full_since(self, tenant: str) -> str:
        """See Index."""
        ids = _key(tenant, "ids")
        if await self._ask(lambda: self._redis.zlexcount(ids, "-", "(~")) < self._max_records:
            return ""
        return _text((await self._ask(lambda: self._redis.zrange(ids, 0, 0)))[0])

    async def status(self, tenant: str) -> Status:
        """See Index."""
        keys = [_key(tenant, name) for name in ("ids", "entries", "pending")]
        args = [self._now() - _STRAY_MS]
        complete, strays = await self._ask(lambda: self._status(keys=keys, args=args))
        return Status(bool(complete), [_text(stray) for stray in strays])

    async def claim(self, tenant: str) -> bool:
        """See Index."""
        key = _key(tenant, "claim")
        if await self._ask(lambda: self._redis.set(key, self._claims_as, nx=True, px=_CLAIM_MS)):
            return True
        if await self._ask(lambda: self._redis.get(key)) != self._claims_as.encode():
            return False
        return bool(await self._ask(lambda: self._redis.pexpire(key, _CLAIM_MS)))

    async def complete(self, tenant: str) -> None:
        """See Index."""
        keys = [_key(tenant, name) for name in ("ids", "entries", "claim")]
        await self._ask(lambda: self._complete(keys=keys, args=[self._life_ms]))

    async def mark(self, tenant: str, documents: Iterable[str], until_ms: int) -> None:
        """See Index."""
        keys = [_key(tenant, "marks"), _key(tenant, "generation")]
        args: list[str | int] = [self._life_ms, self._oldest_ms(), until_ms, *documents]
        await self._ask(lambda: self._mark(keys=keys, args=args))

    async def mark_everything(self, tenant: str, until_ms: int) -> None:
        """See Index."""
        await self.mark(tenant, [_EVERYTHING], until_ms)

    async def erase(self, tenant: str, entries: Sequence[Entry]) -> None:
        """See Index."""
        keys = [_key(tenant, "ids"), _key(tenant, "entries")]
        args: list[str | int] = [self._life_ms]
        for entry in entries:
            args += [entry.record_id, _value(entry.tombstone(), "")]
        await self._ask(lambda: self._erase(keys=keys, args=args))

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[Lease]:
        """See Index."""
        lock = Lock(self._redis, _key(tenant, "turn"), _TURN_SECONDS, blocking_timeout=_TURN_WAIT_SECONDS)
        if not await call(self._breaker, lock.acquire, _TURN):
            raise CacheUnavailableError("another gateway rewrites the ledger of this tenant")
        try:
            yield _RedisLease(lock, self._breaker)
        finally:
            # Where it cannot be given back, it has run out or soon will.
            with suppress(CacheUnavailableError):
                await self._ask(lock.release)

    async def _ask(self, command: Callable[[], Awaitable[_Result]]) -> _Result:
        # No question waits for any of these.
        return await call(self._breaker, command, BEHIND)

    async def _read_marks(self, tenant: str, generation: int) -> Marks:
        key = _key(tenant, "marks")
        scored: Any = await self._ask(lambda: self._redis.zrange(key, 0, -1, withscores=True))
        documents = {_text(member): int(score) for member, score in scored}
        everything = documents.pop(_EVERYTHING, 0)
        return Marks(generation, documents, everything)

    async def _entries(self, tenant: str, record_ids: Sequence[str]) -> list[Entry]:
        if not record_ids:
            return []
        fields = [f"r:{record_id}" for record_id in record_ids]
        values = await self._ask(lambda: self._redis.hmget(_key(tenant, "entries"), fields))
        return [_entry(value) for value in values if value is not None]

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _oldest_ms(self) -> int:
        return max(self._now() - self._life_ms, 0)


class _RedisLease:
    """A turn that Redis keeps."""

    def __init__(self, lock: Lock, breaker: Breaker) -> None:
        self._lock = lock
        self._breaker = breaker

    async def extend(self) -> None:
        """See Lease."""
        await call(self._breaker, self._lock.reacquire, BEHIND)


def _key(tenant: str, name: str) -> str:
    return f"ledger:{{{tenant}}}:{name}"


def _value(entry: Entry, request: str) -> str:
    return f"{'E' if entry.erased else 'L'}{request}\n{dumps(entry)}"


def _entry(value: object) -> Entry:
    return loads(_text(value).partition("\n")[2])


def _text(reply: object) -> str:
    assert isinstance(reply, bytes), "the connection decodes nothing"
    return reply.decode()


def _line(request_id: str) -> str:
    """The name without line feeds; the API lets none in."""
    return request_id.replace("\n", " ")
