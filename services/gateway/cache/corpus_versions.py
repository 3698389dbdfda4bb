"""Asks the selector which version a corpus has, and tells the cache."""

import asyncio

from scic import errors
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.deadline import Deadline
from services.gateway.cache.ports import CacheUnavailableError, ContextCache
from services.gateway.stages.ports import Selector
from services.gateway.stages.stage_error import StageError

_SHARE = 0.2
"""Part of the time still left that an answer may take."""

_MAX_SECONDS = 1.0
"""What the selector says is as old as its answer took: the cache trusts it from when it comes."""


class CorpusVersions:
    """Confirms versions. Those who ask for the same tenant at the same time ask once."""

    def __init__(self, selector_stage: Selector, cache: ContextCache) -> None:
        self._selector = selector_stage
        self._cache = cache
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def confirm(self, tenant: str, deadline: Deadline) -> bool:
        """Has the cache know the tenant's present version; False where selector or cache has no answer in time."""
        seconds = min(deadline.share(_SHARE).remaining(), _MAX_SECONDS)
        task = self._asking.get(tenant)
        if task is None:
            task = asyncio.create_task(self._ask(tenant))
            self._asking[tenant] = task
            task.add_done_callback(lambda _: self._asking.pop(tenant))
        # One who leaves, or whose time is over, leaves the others their answer.
        done, _ = await asyncio.wait([task], timeout=seconds)
        return bool(done) and task.result()

    async def _ask(self, tenant: str) -> bool:
        try:
            request = selector.GetCorpusVersionRequest(tenant=tenant)
            response = await self._selector.get_corpus_version(request, timeout=_MAX_SECONDS)
            await self._cache.confirm(tenant, response.corpus_version)
        except (StageError, errors.ScicError, CacheUnavailableError):
            # What is wrong with the corpus is said by whoever builds instead.
            return False
        return True
