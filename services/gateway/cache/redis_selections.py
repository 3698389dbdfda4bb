"""What sources gave, kept in Redis for when they cannot be searched."""

from collections.abc import Mapping, Sequence

from google.protobuf.message import DecodeError
from redis.asyncio import Redis, RedisCluster

from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis import metrics
from services.chassis.breaker import Breaker
from services.gateway.cache import redis_scripts as scripts
from services.gateway.cache.documents import documents_of_selection
from services.gateway.cache.keys import cache_keys
from services.gateway.cache.packing import MAX_ENTRY_BYTES, UnreadableError, digests, new_epoch, pack, unpack
from services.gateway.redis.calls import BEHIND, call, jittered


class RedisSelectionCache:
    """Selections beside the replies of `RedisContextCache`: they share its bound, and what it hears of changes.

    Unlike replies they are trusted although nobody can say which version the corpus has: that is what they are for.
    """

    def __init__(self, redis: Redis | RedisCluster, breaker: Breaker, *, ttl_seconds: float, max_bytes: int) -> None:
        self._breaker = breaker
        self._ttl_ms = int(ttl_seconds * 1000)
        self._max_bytes = max_bytes
        self._find = redis.register_script(scripts.FIND)
        self._keep = redis.register_script(scripts.KEEP)

    async def find(self, tenant: str, keys: Sequence[str]) -> list[selector.SelectResponse | None]:
        """See SelectionCache."""
        stale, *found = await call(self._breaker, lambda: self._find(keys=cache_keys(tenant), args=list(keys)))
        metrics.CACHE_STALE.inc(stale)
        return [None if packed is None else _read(packed) for packed in found]

    async def store(self, tenant: str, selections: Mapping[str, selector.SelectResponse]) -> None:
        """See SelectionCache."""
        args: list[str | int | bytes] = [new_epoch(), self._max_bytes, jittered(self._ttl_ms)]
        for key, selection in selections.items():
            packed = pack(selection.SerializeToString())
            if len(packed) <= MAX_ENTRY_BYTES:
                args += [key, selection.corpus_version, digests(documents_of_selection(selection)), packed]
        await call(self._breaker, lambda: self._keep(keys=cache_keys(tenant), args=args), BEHIND)


def _read(packed: bytes) -> selector.SelectResponse | None:
    """What is none counts as stale; the next one is stored in its place."""
    try:
        return selector.SelectResponse.FromString(unpack(packed))
    except (UnreadableError, DecodeError):
        metrics.CACHE_STALE.inc()
        return None
