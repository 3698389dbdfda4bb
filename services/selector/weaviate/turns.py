"""Turns: one writer at a time commits to a tenant's corpus, over all selectors."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from redis.exceptions import LockError

from services.chassis.logs import get_logger
from services.selector.errors import StoreBusyError, StoreUnavailableError
from services.selector.weaviate.left_locks import AWAY, LeftLocks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster
    from redis.asyncio.lock import Lock

_log = get_logger(__name__)

_LEASE: Final = 60.0
"""Seconds after which the lock of a writer that died opens by itself."""
_SECTION: Final = 40.0
"""Seconds that a turn may take: less than the lease, by more than a request that is still under way may live."""
_POLL: Final = 0.01
_PATIENCE: Final = 2.0
"""Seconds that Redis may take for a command."""


class Turns:
    """Locks in Redis, one a tenant.

    Args:
        redis: shared by all writers; that of the gateway's cache may be the same, whose erasure must not meet a lock.
        wait: seconds that a writer waits for its turn, at most.
    """

    def __init__(self, redis: Redis | RedisCluster, *, prefix: str, wait: float) -> None:
        self._redis: Any = redis
        self._prefix = prefix
        self._wait = wait
        self._local: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()
        self._left = LeftLocks(lease=_LEASE)

    async def close(self) -> None:
        """Leave no lock behind, as far as Redis answers."""
        await self._left.close()

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Stand around what only one may do. Raises StoreBusyError, StoreUnavailableError."""
        # The process's own writers queue here, where waiting costs nothing; at Redis they poll.
        local = self._local.setdefault(tenant, asyncio.Lock())
        self._users[tenant] += 1
        try:
            async with self._waiting(tenant, local), self._locked(tenant):
                try:
                    async with asyncio.timeout(_SECTION):
                        yield
                except TimeoutError as error:
                    raise StoreUnavailableError(f"a write to tenant {tenant!r} took too long") from error
        finally:
            self._users[tenant] -= 1
            if not self._users[tenant]:
                del self._users[tenant], self._local[tenant]

    @asynccontextmanager
    async def _waiting(self, tenant: str, local: asyncio.Lock) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait):
                await local.acquire()
        except TimeoutError as error:
            raise _busy(tenant) from error
        try:
            yield
        finally:
            local.release()

    @asynccontextmanager
    async def _locked(self, tenant: str) -> AsyncIterator[None]:
        lock = self._redis.lock(
            f"{self._prefix}-turn:{{{tenant}}}", timeout=_LEASE, sleep=_POLL, blocking_timeout=self._wait
        )
        mine, freed = uuid4().hex, False
        try:
            await self._take(lock, mine, tenant)
            try:
                yield
            finally:
                freed = await self._free(lock, tenant)
        finally:
            if not freed:
                # The answer that it was taken may be lost, or nobody may have waited for it.
                self._left.add(lock, mine)

    async def _take(self, lock: Lock, mine: str, tenant: str) -> None:
        try:
            async with asyncio.timeout(self._wait + _PATIENCE):
                taken = await lock.acquire(token=mine)
        except AWAY as error:
            raise StoreUnavailableError(f"writers take turns by Redis, which does not answer: {error}") from error
        if not taken:
            raise _busy(tenant)

    async def _free(self, lock: Lock, tenant: str) -> bool:
        """Whether it needs no more opening."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await lock.release()
        except AWAY as error:
            # What was done is done.
            _log.warning("write_lock_lost", tenant=tenant, error=type(error).__name__)
            return isinstance(error, LockError)
        return True


def _busy(tenant: str) -> StoreBusyError:
    return StoreBusyError(f"the corpus of tenant {tenant!r} is being written by others")
