"""Tells every gateway, through the cache, that a corpus has changed."""

import asyncio
from dataclasses import replace
from typing import Self

from services.chassis.logs import get_logger
from services.gateway.cache.ports import CacheUnavailableError, ContextCache, CorpusChange

_log = get_logger(__name__)

_RETRY_SECONDS = 1.0

_MAX_NAMED = 2_000
"""Documents that wait to be announced; a change of more is one of all."""


class Announcer:
    """Announces changes; what could not be announced is tried again until it is, of each tenant as one change.

    Without the word of it, replies of an older corpus would come back with the cache. Its memory is bounded by the
    number of tenants.
    """

    def __init__(self, cache: ContextCache, *, retry_seconds: float = _RETRY_SECONDS) -> None:
        self._cache = cache
        self._retry_seconds = retry_seconds
        self._waiting: dict[str, CorpusChange] = {}
        self._failing: set[str] = set()
        """Tenants of whom it was said that it does not work."""
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._retry())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None, "it was entered"
        self._task.cancel()
        await asyncio.wait([self._task])

    async def announce(self, tenant: str, change: CorpusChange) -> None:
        """Announces a write, now or as soon as the cache is back. See `ContextCache.advance`."""
        try:
            await self._cache.advance(tenant, change)
        except CacheUnavailableError as error:
            _log.warning("change_not_announced", error=str(error))
            self.announce_later(tenant, change)
        except asyncio.CancelledError:
            # Whoever asked for the write has left; the write is made.
            self.announce_later(tenant, change)
            raise

    async def confirm(self, tenant: str, corpus_version: int) -> None:
        """Announces the present version, now or as soon as the cache is back. See `ContextCache.confirm`."""
        try:
            await self._cache.confirm(tenant, corpus_version)
        except CacheUnavailableError as error:
            _log.warning("version_not_confirmed", error=str(error))
            # By then it is the present one no more. All that it tells is that something may have changed before.
            self.announce_later(tenant, CorpusChange(corpus_version, corpus_version, unnamed=True))

    def announce_later(self, tenant: str, change: CorpusChange) -> None:
        """The same where the cache is known to be away."""
        waiting = self._waiting.get(tenant)
        self._waiting[tenant] = change if waiting is None else _merged(waiting, change)
        self._work.set()

    async def _retry(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(self._retry_seconds)
            await self._announce_waiting()

    async def _announce_waiting(self) -> None:
        for tenant, change in list(self._waiting.items()):
            try:
                await self._cache.advance(tenant, change)
            except Exception as error:  # noqa: BLE001 - whatever it is, other tenants' changes are not to wait for it
                self._say(tenant, error)
                continue
            self._failing.discard(tenant)
            # Another may have joined meanwhile.
            if self._waiting[tenant] is change:
                del self._waiting[tenant]
        if not self._waiting:
            self._work.clear()

    def _say(self, tenant: str, error: Exception) -> None:
        if tenant not in self._failing:
            unforeseen = None if isinstance(error, CacheUnavailableError) else error
            _log.warning("change_still_not_announced", tenant=tenant, error=type(error).__name__, exc_info=unforeseen)
        self._failing.add(tenant)


def _merged(one: CorpusChange, other: CorpusChange) -> CorpusChange:
    """One change for two. Where a third lies between them, nobody here knows what that one changed."""
    first, second = sorted((one, other), key=lambda change: change.corpus_version)
    named = list(dict.fromkeys([*first.document_ids, *second.document_ids]))
    merged = CorpusChange(
        previous_version=min(first.previous_version, second.previous_version),
        corpus_version=second.corpus_version,
        document_ids=named,
        unnamed=one.unnamed or other.unnamed,
    )
    follows = second.previous_version <= first.corpus_version
    return merged if follows and len(named) <= _MAX_NAMED else replace(merged, document_ids=(), unnamed=True)
