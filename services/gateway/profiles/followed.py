"""Values of a storage in memory: asked for seldom, never long out of date, and there while the storage is away."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from scic.errors import ScicError
from services.chassis.logs import get_logger

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_log = get_logger(__name__)

_FRESH_SECONDS = 1.0
"""So long a value is taken as it is; then it goes on answering while it is read again in the background."""

_ABSENT_SECONDS = 4.0
"""The same where there is no value: most keys that are asked for never get one, and a bucket bills each look."""

_STALE_SECONDS = 5.0
"""Where nobody has looked for longer, a value is read again before it answers."""

_PATIENCE_SECONDS = 0.5
"""So long that is waited for; then what is known answers."""


@dataclass(slots=True)
class _Entry(Generic[_Value]):
    value: _Value | None
    tried_at: float
    weight: int
    failed: bool = False


class Followed(Generic[_Key, _Value]):
    """Remembers what `read` gives, also that it gives nothing.

    What is not in memory is read by one task a key, whoever waits for it. The memory is bounded: what was not asked for
    longest goes first.

    Args:
        read: asks the storage; it is told what is known, since to see that nothing changed may cost less. Raises
            ScicError where the storage does not answer.
        capacity: weight of all values together.
        weigh: weight of a value; 1 for none.
        constant: whether a value, once it is there, never changes.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        read: Callable[[_Key, _Value | None], Awaitable[_Value | None]],
        *,
        capacity: int,
        clock: Callable[[], float],
        weigh: Callable[[_Value], int] = lambda _: 1,
        constant: bool = False,
    ) -> None:
        self._read = read
        self._capacity = capacity
        self._clock = clock
        self._weigh = weigh
        self._constant = constant
        self._entries: OrderedDict[_Key, _Entry[_Value]] = OrderedDict()
        self._weight = 0
        self._reads: dict[_Key, asyncio.Task[_Entry[_Value] | ScicError]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        reads = list(self._reads.values())
        for task in reads:
            task.cancel()
        if reads:
            await asyncio.wait(reads)

    async def get(self, key: _Key) -> _Value | None:
        """The value, or None where the storage has none.

        Raises ScicError where it was never read and the storage does not answer.
        """
        entry = self._entries.get(key)
        if entry is None:
            return await self._awaited(key)
        self._entries.move_to_end(key)
        if self._constant and entry.value is not None:
            return entry.value
        now = self._clock()
        if now - entry.tried_at <= (_ABSENT_SECONDS if entry.value is None else _FRESH_SECONDS):
            return entry.value
        task = self._begin(key)
        if now - entry.tried_at > _STALE_SECONDS:
            await asyncio.wait([task], timeout=_PATIENCE_SECONDS)
        return self._entries.get(key, entry).value

    def learn(self, key: _Key, value: _Value | None) -> None:
        """Remembers what was just written; a read that is under way does not undo it."""
        self._keep(key, value)

    def forget(self, which: Callable[[_Key], bool]) -> None:
        """Remembers nothing more of some keys."""
        for key in [key for key in self._entries if which(key)]:
            self._weight -= self._entries.pop(key).weight

    async def _awaited(self, key: _Key) -> _Value | None:
        # A caller that gives up must not take the value from those who wait with it.
        outcome = await asyncio.shield(self._begin(key))
        if isinstance(outcome, ScicError):
            raise outcome
        return outcome.value

    def _begin(self, key: _Key) -> "asyncio.Task[_Entry[_Value] | ScicError]":
        task = self._reads.get(key)
        if task is None:
            task = self._reads[key] = asyncio.create_task(self._refresh(key))
            task.add_done_callback(lambda _: self._reads.pop(key, None))
        return task

    async def _refresh(self, key: _Key) -> "_Entry[_Value] | ScicError":
        """Reads a value. Returns the error where that fails and nothing is known: nobody may be waiting for it."""
        before = self._entries.get(key)
        try:
            value = await self._read(key, before.value if before else None)
        except ScicError as error:
            known = self._entries.get(key)
            if known is None:
                return error
            if not known.failed:
                _log.warning("last_known_answers", reason=error.reason)
            known.tried_at, known.failed = self._clock(), True
            return known
        known = self._entries.get(key)
        if known is not None and known is not before:
            return known  # what was written meanwhile
        return self._keep(key, value)

    def _keep(self, key: _Key, value: _Value | None) -> _Entry[_Value]:
        old = self._entries.pop(key, None)
        entry = self._entries[key] = _Entry(value, self._clock(), 1 if value is None else self._weigh(value))
        self._weight += entry.weight - (old.weight if old else 0)
        while self._weight > self._capacity and len(self._entries) > 1:
            _, shed = self._entries.popitem(last=False)
            self._weight -= shed.weight
        return entry
