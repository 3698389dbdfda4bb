"""Locks that nobody stands behind: Redis did not say whether they were taken, or did not hear that they are free."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from redis.exceptions import LockError, RedisClusterException, RedisError

if TYPE_CHECKING:
    from redis.asyncio.lock import Lock

AWAY: Final = (RedisError, RedisClusterException, OSError)
"""What a command to a Redis that is away ends with; a TimeoutError is an OSError."""

_PATIENCE: Final = 1.0
"""Seconds that a command may take, and that the last ones get at the end."""
_PAUSES: Final = (0.1, 0.4)
"""Seconds until Redis is asked again, drawn from between them."""
_TRIES: Final = 2
"""How often a lock must be found not to be ours: what asked for it may have been on its way, and come later."""


@dataclass(slots=True)
class _Left:
    lock: Lock
    until: float
    """When it opens by itself, by `time.monotonic`."""
    tries: int = _TRIES


class LeftLocks:
    """Opens them when Redis answers again; else nobody could write until their leases end. Others' are left alone."""

    def __init__(self, *, lease: float) -> None:
        """`lease`: seconds after which a lock opens by itself."""
        self._lease = lease
        self._left: dict[str, _Left] = {}
        """By their tokens."""
        self._opening: asyncio.Task[None] | None = None

    def add(self, lock: Lock, token: str) -> None:
        """Take a lock that has this token, if it is held at all."""
        self._left[token] = _Left(lock, time.monotonic() + self._lease)
        if self._opening is None:
            self._opening = asyncio.create_task(self._open_all())

    async def close(self) -> None:
        """Open them now, as far as Redis answers."""
        if (opening := self._opening) is not None:
            await asyncio.wait({opening}, timeout=_PATIENCE)
            opening.cancel()
            await asyncio.wait({opening})

    async def _open_all(self) -> None:
        try:
            while self._left:
                for token, left in list(self._left.items()):
                    if await self._open(token, left) or time.monotonic() >= left.until:
                        del self._left[token]
                if self._left:
                    await asyncio.sleep(random.uniform(*_PAUSES))  # noqa: S311  # jitter, not a secret
        finally:
            self._opening = None

    async def _open(self, token: str, left: _Left) -> bool:
        """Whether nothing is left to be done for a lock."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await left.lock.do_release(token.encode())
        except LockError:
            left.tries -= 1
            return not left.tries
        except AWAY:
            return False
        return True
