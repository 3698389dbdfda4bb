"""The caches of a gateway that has none configured."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from scic.gateway.v1 import cache_service_pb2
from scic.selector.v1 import selector_service_pb2 as selector
from services.gateway.cache.ports import CacheEntry, CacheKey, CacheUnavailableError, CorpusChange, Freshness


def _is_away() -> NoReturn:
    raise CacheUnavailableError("no Redis is configured")


class NoCache:
    """Is always away, so every reply says that it was computed without a cache. See ContextCache."""

    async def lookup(self, tenant: str, key: CacheKey, freshness: Freshness) -> NoReturn:
        """It is away."""
        _is_away()

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
    ) -> NoReturn:
        """It is away."""
        _is_away()

    async def renew(self, tenant: str, key: CacheKey, *, flight: str, lease: float) -> bool:
        """It is away."""
        _is_away()

    async def settle(
        self, tenant: str, key: CacheKey, *, flight: str, entry: CacheEntry | None, shared: bytes | None
    ) -> bool:
        """It is away."""
        _is_away()

    async def advance(self, tenant: str, change: CorpusChange) -> None:
        """Nothing to tell: nobody keeps replies."""

    async def confirm(self, tenant: str, corpus_version: int) -> None:
        """Nothing to tell."""

    async def erase_documents(self, tenant: str, change: CorpusChange) -> int:
        """Nothing to erase."""
        return 0

    async def erase_tenant(self, tenant: str, corpus_version: int) -> int:
        """Nothing to erase."""
        return 0

    async def flush(self, tenant: str) -> int:
        """It is away."""
        _is_away()

    async def stats(self, tenant: str) -> cache_service_pb2.GetCacheStatsResponse:
        """It is away."""
        _is_away()

    async def forget_history(self) -> None:
        """There is none."""


class NoSelectionCache:
    """Remembers nothing, so a source that fails has no other to stand for it than its backup."""

    async def find(self, tenant: str, keys: Sequence[str]) -> list[selector.SelectResponse | None]:
        """See SelectionCache."""
        return [None] * len(keys)

    async def store(self, tenant: str, selections: Mapping[str, selector.SelectResponse]) -> None:
        """Keeps nothing."""
