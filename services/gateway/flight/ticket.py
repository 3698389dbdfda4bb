"""What a request brings to a flight, and what it gets from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scic.gateway.v1 import context_service_pb2 as pb
from services.chassis.deadline import Deadline
from services.gateway.admission.priority import Priority
from services.gateway.cache.ports import CacheEntry, CacheKey, Freshness, Hit


@dataclass(frozen=True, slots=True)
class Built:
    """A reply that was just made, and what others may have of it."""

    response: pb.BuildContextResponse
    """For everybody in this process; whoever gets it makes a copy before changing it."""

    deadline: Deadline
    """Until when it had to be made."""

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

    priority: Priority
    """Of whoever asks: who goes first does not depend on one who goes later."""

    confirm: Callable[[], Awaitable[bool]]
    """Finds out the corpus version and tells the cache; False where nobody knows it."""

    build: Callable[[], Awaitable[Built]]
    """Makes the reply. It is called by one of those who ask, and cancelled when all of them have left."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a ticket was served: one of the three is set."""

    hit: Hit | None = None
    """A stored reply."""

    shared: bytes | None = None
    """What another gateway has just made."""

    built: Built | None = None
    """What this gateway has just made."""

    available: bool = True
    """Whether the cache answered."""
