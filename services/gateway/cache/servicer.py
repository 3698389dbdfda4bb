"""CacheService: wire to domain and back."""

from scic import errors
from scic.gateway.v1 import cache_service_pb2 as pb
from scic.gateway.v1 import cache_service_pb2_grpc as rpc
from services.chassis.interceptors import Context
from services.gateway.cache.ports import CacheUnavailableError, ContextCache
from services.gateway.callers.authentication import current_principal


class CacheServicer(rpc.CacheServiceServicer):
    """Answers for the cache of the caller's tenant."""

    def __init__(self, cache: ContextCache) -> None:
        self._cache = cache

    async def GetCacheStats(  # noqa: N802 - the name of the RPC
        self, request: pb.GetCacheStatsRequest, context: Context
    ) -> pb.GetCacheStatsResponse:
        """Counts."""
        try:
            return await self._cache.stats(current_principal().tenant)
        except CacheUnavailableError as error:
            raise _unavailable() from error

    async def FlushCache(  # noqa: N802 - the name of the RPC
        self, request: pb.FlushCacheRequest, context: Context
    ) -> pb.FlushCacheResponse:
        """Empties it."""
        tenant = current_principal().tenant
        if request.tenant != tenant:
            raise errors.INVALID_FIELD.error(
                "tenant is not the tenant of the API key; nothing was removed",
                field_violations=[("tenant", "must be the tenant of the API key")],
            )
        try:
            return pb.FlushCacheResponse(entry_count=await self._cache.flush(tenant))
        except CacheUnavailableError as error:
            raise _unavailable() from error


def _unavailable() -> errors.ScicError:
    return errors.CACHE_UNAVAILABLE.error("the cache does not answer, or the server has none", retry_after=1.0)
