"""Turns: one writer at a time commits to a tenant's corpus, over all selectors."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from redis.exceptions import LockError, RedisClusterException, RedisError

from services.chassis.logs import get_logger
from services.selector.errors import StoreBusyError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

_log = get_logger(__name__)

_LEASE: Final = 60.0
"""Seconds after which the lock of a writer that died opens by itself."""
_SECTION: Final = 40.0
"""Seconds that a turn may take: less than the lease, by more than a request that is still under way may live."""
_POLL: Final = 0.01
_AGAIN: Final = 0.25
"""Seconds until a lock that Redis did not open is tried again."""
_AWAY: Final = (RedisError, RedisClusterException, OSError)


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
        self._opening: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Leave what could not be opened to its lease."""
        for task in self._opening:
            task.cancel()
        if self._opening:
            await asyncio.wait(self._opening)

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
            await asyncio.wait_for(local.acquire(), self._wait)
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
        mine = uuid4().hex
        try:
            with self._opened_later(lock, mine):
                taken = await lock.acquire(token=mine)
        except _AWAY as error:
            raise StoreUnavailableError(f"writers take turns by Redis, which does not answer: {error}") from error
        if not taken:
            raise _busy(tenant)
        try:
            yield
        finally:
            try:
                with self._opened_later(lock, mine):
                    await lock.release()
            except _AWAY as error:
                # What was done is done.
                _log.warning("write_lock_lost", tenant=tenant, error=type(error).__name__)

    @contextmanager
    def _opened_later(self, lock: Any, mine: str) -> Iterator[None]:
        """Around a command that may have been done although nobody heard of it: then nobody could write for a lease."""
        try:
            yield
        except LockError:
            raise
        except (*_AWAY, asyncio.CancelledError):
            task = asyncio.create_task(_open(lock, mine))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
            raise


async def _open(lock: Any, mine: str) -> None:
    """Opens a lock as soon as Redis answers; one that is not ours, or no longer, stays as it is."""
    with suppress(TimeoutError, LockError):
        async with asyncio.timeout(_LEASE):
            while True:
                try:
                    await lock.do_release(mine)
                except LockError:
                    raise
                except _AWAY:
                    await asyncio.sleep(_AGAIN)
                else:
                    return


def _busy(tenant: str) -> StoreBusyError:
    return StoreBusyError(f"the corpus of tenant {tenant!r} is being written by others")
