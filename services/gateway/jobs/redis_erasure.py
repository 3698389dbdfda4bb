"""Erasing what jobs hold, in Redis."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from redis.asyncio import Redis, RedisCluster

from scic import errors
from services.gateway.jobs import redis_erasure_scripts
from services.gateway.jobs.redis_fields import digests
from services.gateway.jobs.redis_values import GONE, RESULT_ERASED

_PAGE = 100
_MARKS = 1_000

_WRITE_MS = 120_000
"""What a stage may take for what an attempt had asked for before it was stopped."""

_LEAVING_SECONDS = 5.0
_LEAVING_LOOK_SECONDS = 0.05


class Run(Protocol):
    """Runs a script that is about a tenant, or about a job of it; raises QUEUE_UNAVAILABLE."""

    async def __call__(
        self, script: Callable[..., Awaitable[Any]], tenant: str, job_id: str | None, *args: str | float | bytes
    ) -> Any:
        """What the script answers."""
        ...


class RedisJobErasure:
    """See ErasableJobs.

    Args:
        redis: knows the scripts.
        run: runs them.
        clock: seconds.
        lease_ms: that of the queue.
    """

    def __init__(self, redis: Redis | RedisCluster, run: Run, clock: Callable[[], float], *, lease_ms: int) -> None:
        self._run = run
        self._clock = clock
        self._writing_ms = lease_ms + _WRITE_MS
        self._mark = redis.register_script(redis_erasure_scripts.MARK)
        self._erase_documents = redis.register_script(redis_erasure_scripts.ERASE_DOCUMENTS)
        self._erase_tenant = redis.register_script(redis_erasure_scripts.ERASE_TENANT)
        self._leaving = redis.register_script(redis_erasure_scripts.LEAVING)

    async def erase_documents(self, tenant: str, document_ids: Sequence[str], subject: str) -> int:
        """See ErasableJobs."""
        documents = digests(sorted(set(document_ids)))
        batches = [documents[first : first + _MARKS] for first in range(0, len(documents), _MARKS)] or [[]]
        last = 0
        for number, batch in enumerate(batches):
            last = int(await self._run(self._mark, tenant, None, int(number == 0), *batch))
        lost = set[str]()
        for batch in batches:
            lost |= await self._erase_batch(tenant, batch, subject, last)
        await self._until_left(tenant)
        return len(lost)

    async def erase_tenant(self, tenant: str) -> int:
        """See ErasableJobs."""
        last = int(await self._run(self._mark, tenant, None, 0))
        erased = 0
        while True:
            step = int(await self._run(self._erase_tenant, tenant, None, last, self._writing_ms))
            erased += step
            if step < _PAGE:
                await self._until_left(tenant)
                return erased

    async def _until_left(self, tenant: str) -> None:
        """Waits for workers that may still store what was erased. Raises QUEUE_UNAVAILABLE where one does not stop."""
        ends = self._clock() + _LEAVING_SECONDS
        while await self._run(self._leaving, tenant, None):
            if self._clock() >= ends:
                raise errors.QUEUE_UNAVAILABLE.error(
                    "a worker whose job was erased has not said that it stopped", retry_after=_LEAVING_SECONDS
                )
            await asyncio.sleep(_LEAVING_LOOK_SECONDS)

    async def _erase_batch(self, tenant: str, documents: Sequence[bytes], subject: str, last: int) -> set[str]:
        """Jobs that lost something."""
        of = digests([subject])[0] if subject else b""
        lost, first = set[str](), b"0"
        while first:
            ids, first = await self._run(
                self._erase_documents,
                tenant,
                None,
                first,
                last,
                of,
                RESULT_ERASED.SerializeToString(),
                GONE,
                self._writing_ms,
                *documents,
            )
            lost.update(job_id.decode() for job_id in ids)
        return lost
