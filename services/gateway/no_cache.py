"""The caches of a gateway that has none configured."""

from collections.abc import Mapping, Sequence

from scic.selector.v1 import selector_service_pb2 as selector
from services.gateway.ports import CacheEntry, CacheLookup, CacheUnavailableError


class NoCache:
    """Is always away, so every reply says that it was computed without a cache."""

    async def lookup(self, tenant: str, fingerprint: str) -> CacheLookup:
        """See ContextCache."""
        raise CacheUnavailableError("no Redis is configured")

    async def store(self, tenant: str, fingerprint: str, entry: CacheEntry) -> None:
        """See ContextCache."""
        raise CacheUnavailableError("no Redis is configured")

    async def publish_version(self, tenant: str, corpus_version: int, *, removed: bool) -> None:
        """Nothing to tell: nobody keeps replies."""

    async def erase(self, tenant: str, corpus_version: int) -> int:
        """Nothing to erase."""
        return 0

    async def forget_history(self) -> None:
        """There is none."""


class NoSelectionCache:
    """Remembers nothing, so a source that fails has no other to stand for it than its backup."""

    async def find(self, tenant: str, keys: Sequence[str]) -> list[selector.SelectResponse | None]:
        """See SelectionCache."""
        return [None] * len(keys)

    async def store(self, tenant: str, selections: Mapping[str, selector.SelectResponse]) -> None:
        """Keeps nothing."""
