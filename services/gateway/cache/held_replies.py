"""Stored replies that a gateway gave out a moment ago: while one still holds, the cache need not send it again."""

import asyncio
import time
from collections import OrderedDict
from typing import Final, NamedTuple

from services.gateway.cache.stored_reply import StoredReply

_SECONDS: Final = 10.0
"""What was not given out for so long is let go: an erasure must not leave it here."""

_MOST_BYTES: Final = 16 << 20

_Name = tuple[str, str]


class Held(NamedTuple):
    """A reply at hand."""

    reply: StoredReply
    tag: bytes
    """What the cache knows it by: of another reply it is another."""

    until: float

    @property
    def size_bytes(self) -> int:
        """Of both its forms."""
        return len(self.reply.serialized) + len(self.reply.packed)


class HeldReplies:
    """Replies by tenant and key, those used last; never given out without asking the cache whether they hold."""

    def __init__(self, *, seconds: float = _SECONDS, most_bytes: int = _MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._held: OrderedDict[_Name, Held] = OrderedDict()
        """By the moment of their last use, so by that of their end, too."""
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def get(self, name: _Name) -> Held | None:
        """The reply of that name that is at hand."""
        return self._held.get(name)

    def keep(self, name: _Name, reply: StoredReply, tag: bytes) -> None:
        """Holds a reply, from its last use on."""
        self.drop(name)
        held = Held(reply, tag, time.monotonic() + self._seconds)
        self._held[name] = held
        self._bytes += held.size_bytes
        while self._bytes > self._most_bytes:
            self.drop(next(iter(self._held)))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._let_go)

    def drop(self, name: _Name) -> None:
        """Holds it no longer, if it did."""
        if held := self._held.pop(name, None):
            self._bytes -= held.size_bytes

    def drop_tenant(self, tenant: str) -> None:
        """Holds nothing of a tenant any longer."""
        for name in [name for name in self._held if name[0] == tenant]:
            self.drop(name)

    def _let_go(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._held:
            name, held = next(iter(self._held.items()))
            if held.until > now:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(held.until - now, self._let_go)
                return
            self.drop(name)
