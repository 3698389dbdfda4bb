"""What a client does with the cache."""

from scic.client.calls import answer
from scic.gateway.v1 import cache_service_pb2 as pb
from scic.gateway.v1 import cache_service_pb2_grpc as rpc


class CacheMethods:
    """The methods of CacheService, for the key's own tenant; a part of `Client`."""

    _cache: "rpc.CacheServiceAsyncStub"  # a type of the stubs alone
    _metadata: tuple[tuple[str, str], ...]

    async def cache_stats(self, *, timeout: float | None = None) -> pb.GetCacheStatsResponse:
        """What the cache holds, and how it served."""
        request = pb.GetCacheStatsRequest()
        return await answer(self._cache.GetCacheStats(request, metadata=self._metadata, timeout=timeout))

    async def flush_cache(self, tenant: str, *, timeout: float | None = None) -> int:
        """Empties the cache of the key's own tenant, whose name confirms it; returns how many entries went.

        Needs the role operator. Documents, jobs and limits stay.
        """
        request = pb.FlushCacheRequest(tenant=tenant)
        response = await answer(self._cache.FlushCache(request, metadata=self._metadata, timeout=timeout))
        return response.entry_count
