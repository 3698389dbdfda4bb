"""What the selector does for no caller: it removes what has expired and moves corpora to the preferred model."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.chassis import metrics
from services.chassis.logs import get_logger
from services.selector.errors import StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import datetime
    from random import Random

    from services.selector.embedding.embedders import Embedders
    from services.selector.ports import Store

_log = get_logger(__name__)

_STALE_DOCUMENTS = 8
"""Documents that get their new vectors at once: little is lost when the process ends."""
_CHOICE = 4
"""Times as many are read, and some of them taken by chance: several selectors seldom take the same."""
_LATE_IN_A_ROW = 20
"""Times that others may be faster before this selector leaves the work to them for a while."""
_CAUSE = 160
"""Characters of a cause that a log line takes."""


class Maintenance:
    """Goes through all tenants again and again. Several selectors may do so: a step that is done twice does no harm."""

    def __init__(
        self,
        store: Store,
        embedders: Embedders,
        clock: Callable[[], datetime],
        rng: Random,
        *,
        interval_seconds: float,
    ) -> None:
        self._store = store
        self._rng = rng
        self._embedders = embedders
        self._clock = clock
        self._interval = interval_seconds

    async def run(self) -> None:
        """Work until cancelled. What fails is logged and tried again the next time; expiry never waits for models."""
        await asyncio.gather(self._again_and_again(self.remove_expired), self._again_and_again(self.reindex))

    async def _again_and_again(self, work: Callable[[str], Awaitable[None]]) -> None:
        while True:
            with _logged(tenant=None):
                for tenant in await self._store.tenants():
                    with _logged(tenant):
                        await work(tenant)
            await asyncio.sleep(self._interval)

    async def remove_expired(self, tenant: str) -> None:
        """Remove a tenant's documents whose time is over."""
        removal = await self._store.remove_expired(tenant, self._clock())
        if removal.document_ids:
            metrics.EXPIRED_DOCUMENTS.inc(len(removal.document_ids))
            _log.info("expired", tenant=tenant, documents=len(removal.document_ids), passages=removal.passage_count)

    async def reindex(self, tenant: str) -> None:
        """Give a corpus of another model vectors of the preferred one, then move it. It is searched all the while."""
        target = self._embedders.preferred
        if await self._store.model(tenant) in (None, target.model):
            return
        _log.info("reindexing", tenant=tenant, model=target.model.model_id)
        late = 0
        while True:
            found = await self._store.stale(tenant, target.model, _CHOICE * _STALE_DOCUMENTS)
            if found:
                stale = self._rng.sample(list(found), min(len(found), _STALE_DOCUMENTS))
                made = [(document, await target.embed_passages(document.passages)) for document in stale]
                try:
                    await self._store.add_vectors(tenant, target.model, made)
                except StoreBusyError:
                    # Another selector has done one of them, or a document changed: others may still be to do.
                    late += 1
                    if late > _LATE_IN_A_ROW:
                        raise
                    continue
                late = 0
                metrics.REINDEXED_PASSAGES.inc(sum(len(document.passages) for document in stale))
            elif await self._store.adopt(tenant, target.model):
                _log.info("reindexed", tenant=tenant, model=target.model.model_id)
                return


@contextmanager
def _logged(tenant: str | None) -> Iterator[None]:
    """What fails for one tenant is no reason to leave the others out."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - one round that fails must not end all the others
        _log.warning("maintenance_failed", tenant=tenant, error=type(error).__name__, cause=str(error)[:_CAUSE])
