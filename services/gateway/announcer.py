"""Tells every gateway, through the cache, that a corpus has changed."""

import asyncio
from typing import Self

from services.chassis.logs import get_logger
from services.gateway.ports import CacheUnavailableError, ContextCache

_log = get_logger(__name__)

_RETRY_SECONDS = 1.0


class Announcer:
    """Announces versions; what could not be announced is tried again until it is, of each tenant the newest only.

    Without the word of it, replies of an older corpus would come back with the cache. Its memory is bounded by the
    number of tenants.
    """

    def __init__(self, cache: ContextCache, *, retry_seconds: float = _RETRY_SECONDS) -> None:
        self._cache = cache
        self._retry_seconds = retry_seconds
        self._waiting: dict[str, tuple[int, bool]] = {}
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._retry())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None, "it was entered"
        self._task.cancel()
        await asyncio.wait([self._task])

    async def announce(self, tenant: str, corpus_version: int, *, removed: bool) -> None:
        """Announces a version, now or as soon as the cache is back. See `ContextCache.publish_version`."""
        try:
            await self._cache.publish_version(tenant, corpus_version, removed=removed)
        except CacheUnavailableError as error:
            _log.warning("version_not_published", error=str(error))
            self.announce_later(tenant, corpus_version, removed=removed)

    def announce_later(self, tenant: str, corpus_version: int, *, removed: bool) -> None:
        """The same where the cache is known to be away."""
        version, any_removed = self._waiting.get(tenant, (corpus_version, False))
        self._waiting[tenant] = max(version, corpus_version), any_removed or removed
        self._work.set()

    async def _retry(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(self._retry_seconds)
            await self._announce_waiting()

    async def _announce_waiting(self) -> None:
        for tenant, (version, removed) in list(self._waiting.items()):
            try:
                await self._cache.publish_version(tenant, version, removed=removed)
            except CacheUnavailableError:
                return
            # A newer one may have joined meanwhile.
            if self._waiting[tenant] == (version, removed):
                del self._waiting[tenant]
        if not self._waiting:
            self._work.clear()
