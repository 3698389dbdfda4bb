"""Gateway and selector may share a Redis: neither removes what the other needs."""

from redis.asyncio import Redis

from services.chassis.breaker import Breaker
from services.gateway.cache.ports import CorpusChange
from services.gateway.cache.redis_cache import RedisContextCache
from services.selector.weaviate.turns import Turns
from tests.weaviate import shared_valkey


async def test_an_erasure_leaves_a_writers_turn_alone() -> None:
    async with Redis.from_url(shared_valkey().url) as redis:
        cache = RedisContextCache(redis, Breaker("shared"), ttl_seconds=60, new_documents_seconds=60, max_bytes=1 << 20)
        async with Turns(redis, prefix="scic", wait=1.0).turn("acme"):
            held = await redis.keys("*acme*")
            assert held
            assert await cache.erase_documents("acme", CorpusChange(1, 2, unnamed=True)) == 0
            assert await cache.erase_tenant("acme", 3) == 0
            assert set(held) <= set(await redis.keys("*acme*"))
