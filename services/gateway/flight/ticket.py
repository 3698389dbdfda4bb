"""What a request brings to a flight, and what it gets from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scic.gateway.v1 import context_service_pb2 as pb
from services.chassis.deadline import Deadline
from services.gateway.cache.keys import flight_topic
from services.gateway.cache.ports import CacheEntry, CacheKey, Freshness, Hit
from services.gateway.cache.stored_reply import StoredReply


@dataclass(frozen=True, slots=True)
class Built:
    """A reply that was just made, and what others may have of it."""

    response: pb.BuildContextResponse
    """Its first caller gets this very message, all others a copy; what the first notes in it is set anew in theirs."""

    hurried: bool
    """Whether lack of time has shaped it: who has more of it does not want it."""

    entry: CacheEntry | None
    """What is kept of it; None where it is not to be kept."""

    shared: bytes | None
    """What those get who wait for it in other gateways where it is not kept; None where it must stay here."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request for a reply, equal to all that have the same tenant, key and terms."""

    tenant: str
    key: CacheKey
    freshness: Freshness

    look: bool
    """Whether a stored reply will do."""

    deadline: Deadline
    """Until when it is wanted."""

    confirm: Callable[[], Awaitable[bool]]
    """Finds out the corpus version and tells the cache; False where nobody knows it."""

    build: Callable[[], Awaitable[Built]]
    """Makes the reply. It is called by one of those who ask, and cancelled when all of them have left."""

    @property
    def topic(self) -> str:
        """What the signal speaks of when another gateway has made the reply."""
        return flight_topic(self.tenant, self.key.exact)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a ticket was served: one of the first three is set."""

    hit: Hit | None = None
    """A stored reply."""

    shared: StoredReply | None = None
    """What another gateway has just made."""

    built: Built | None = None
    """What this gateway has just made."""

    joined: bool = False
    """Whether that was under way for another request."""

    available: bool = True
    """Whether the cache answered."""
