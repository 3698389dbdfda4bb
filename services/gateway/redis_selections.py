"""What sources gave, kept in Redis for when they cannot be searched."""

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis, RedisCluster

from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.breaker import Breaker
from services.gateway.redis_calls import call, jittered
from services.gateway.redis_keys import FLOOR_TTL_MS, floor_key, selection_key

_STORE = """
local floor = redis.call('GET', KEYS[1])
if floor and tonumber(floor) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], floor or ARGV[1], 'PX', ARGV[3])
for number = 2, #KEYS do
  redis.call('SET', KEYS[number], ARGV[number + 2], 'PX', ARGV[2])
end
return 1
"""
"""A floor that is not there may have been evicted: the version of what is stored now takes its place, so nothing older
is trusted, and it outlives what it guards."""


class RedisSelectionCache:
    """Selections under the names of `redis_keys`. Without a floor none is trusted."""

    def __init__(self, redis: Redis | RedisCluster, breaker: Breaker, *, ttl_seconds: float) -> None:
        self._redis = redis
        self._breaker = breaker
        self._ttl_ms = int(ttl_seconds * 1000)
        self._store = redis.register_script(_STORE)

    async def find(self, tenant: str, keys: Sequence[str]) -> list[selector.SelectResponse | None]:
        """See SelectionCache."""
        names = [floor_key(tenant), *(selection_key(tenant, key) for key in keys)]
        floor, *values = await call(self._breaker, lambda: self._redis.mget(names))
        return [_selection(value, int(floor)) if floor and isinstance(value, bytes) else None for value in values]

    async def store(self, tenant: str, selections: Mapping[str, selector.SelectResponse]) -> None:
        """See SelectionCache."""
        version = min(selection.corpus_version for selection in selections.values())
        ttl = jittered(self._ttl_ms)
        keys = [floor_key(tenant), *(selection_key(tenant, key) for key in selections)]
        values = [selection.SerializeToString() for selection in selections.values()]
        await call(self._breaker, lambda: self._store(keys=keys, args=[version, ttl, FLOOR_TTL_MS, *values]))


def _selection(value: bytes, floor: int) -> selector.SelectResponse | None:
    stored = selector.SelectResponse.FromString(value)
    return stored if stored.corpus_version >= floor else None
