"""Which tenants have jobs, in Redis.

The registry has a slot of its own on Redis Cluster, so no step covers it and a tenant's jobs. Whatever dies in between,
no job is lost: a tenant is registered before its first job is put in, and stays so for an hour. It leaves only where
it has no job at all, nobody has registered it since that was found, and the hour is over, in which whoever registered
it has put in the job or has died. Behind each job it is registered again, with a signal: that is what workers hear. One
that was submitted by a gateway that died before is found when workers ask quiet tenants, within a minute.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster

from services.gateway.jobs.redis_names import REGISTRY

_STAYS_MS = 3_600_000
_TRUSTED_SECONDS = 600.0
"""So long a gateway counts on its own registration: far less than it stays."""

_WHOLE_SECONDS = 30.0
"""So often a worker reads the registry from its beginning, in case its clock jumped back or it was lost."""

_PAGE = 1_000

_REGISTER = """
local clock = redis.call('TIME')
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREM', KEYS[1], '')
redis.call('ZADD', KEYS[1], math.max(now, (last or 0) + 1), ARGV[1])
if ARGV[2] == '1' then redis.call('PUBLISH', 'scic:signals', 'queue') end
return 1
"""
"""Milliseconds, but never less than the entry before, so that readers go on from where they were. As in `redis_scripts`
the first writing command is one that a server without memory does not refuse: work is to go on then."""

_LEAVE = """
local clock = redis.call('TIME')
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if clock[1] * 1000 - ARGV[2] < tonumber(ARGV[3]) then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
"""

Ask = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Runs a command of Redis; raises QUEUE_UNAVAILABLE."""


class RedisRegistry:
    """Registers tenants, and hears of those that others register."""

    def __init__(self, redis: Redis | RedisCluster, ask: Ask, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._ask = ask
        self._clock = clock
        self._register = redis.register_script(_REGISTER)
        self._leave = redis.register_script(_LEAVE)
        self._registered: dict[str, float] = {}
        self._position = 0
        self._whole_at = 0.0

    async def expect(self, tenant: str) -> None:
        """Before a job is put in: makes sure that the tenant is registered."""
        now = self._clock()
        if now - self._registered.get(tenant, -_TRUSTED_SECONDS) < _TRUSTED_SECONDS:
            return
        await self._ask(lambda: self._register(keys=[REGISTRY], args=[tenant, 0]))
        self._registered[tenant] = now

    async def announce(self, tenant: str) -> None:
        """Behind it: tells the workers."""
        now = self._clock()
        await self._ask(lambda: self._register(keys=[REGISTRY], args=[tenant, 1]))
        self._registered[tenant] = now

    async def news(self) -> Sequence[tuple[str, int]]:
        """Tenants that were registered since this was asked last, with their entries; now and then, all of them."""
        now = self._clock()
        if now >= self._whole_at:
            self._position, self._whole_at = 0, now + _WHOLE_SECONDS
        news = list[tuple[str, int]]()
        while True:
            page = await self._ask(self._page)
            news += [(name.decode(), int(score)) for name, score in page]
            if not page:
                return news
            self._position = news[-1][1]
            if len(page) < _PAGE:
                return news

    async def _page(self) -> Any:
        lowest = f"({self._position}"
        return await self._redis.zrangebyscore(REGISTRY, lowest, "+inf", start=0, num=_PAGE, withscores=True)

    async def leave(self, tenant: str, entry: int) -> bool:
        """A tenant without a job leaves, unless it was registered since, or not long ago. Whether it did."""
        return bool(await self._ask(lambda: self._leave(keys=[REGISTRY], args=[tenant, entry, _STAYS_MS])))
