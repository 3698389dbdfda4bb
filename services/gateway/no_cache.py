"""The cache of a gateway that has none configured."""

from services.gateway.ports import CacheEntry, CacheLookup, CacheUnavailableError


class NoCache:
    """Is always away, so every reply says that it was computed without a cache."""

    async def lookup(self, tenant: str, fingerprint: str) -> CacheLookup:
        """See ContextCache."""
        raise CacheUnavailableError("no Redis is configured")

    async def store(self, tenant: str, fingerprint: str, entry: CacheEntry) -> None:
        """See ContextCache."""
        raise CacheUnavailableError("no Redis is configured")

    async def publish_version(self, tenant: str, corpus_version: int) -> None:
        """Nothing to tell: nobody keeps replies."""
