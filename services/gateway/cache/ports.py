"""What the gateway needs of a cache: replies that die with their documents, and one computation a key in the fleet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scic.gateway.v1 import cache_pb2, cache_service_pb2
from scic.selector.v1 import selector_service_pb2 as selector
from services.gateway.cache.stored_reply import StoredReply


class CacheUnavailableError(Exception):
    """The cache does not answer; requests go on without it."""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What a request is found by."""

    exact: str
    """A digest of everything that shapes the reply."""

    meaning: str = ""
    """The same with the question's meaning in place of its words; empty where the tier is off or cannot tell."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a request demands of a stored reply."""

    min_corpus_version: int = 0
    """The version of the corpus that it must be made of, or a newer one."""

    max_age: float | None = None
    """Seconds since it was made, at most; None: as the server has it."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A reply as it is stored."""

    reply: bytes
    """A serialized BuildContextResponse."""

    corpus_version: int
    """The version of the corpus it was made of."""

    document_ids: Sequence[str]
    """Documents that it names anywhere: it dies when one of them changes."""

    build_seconds: float
    """What it took to make it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored reply that is right."""

    reply: StoredReply
    tier: cache_pb2.CacheTier.ValueType
    age: float
    """Seconds since it was made."""

    due: bool
    """Whether this caller should make it anew behind the reply, so that its end does not hit all callers at once."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A reply that was made for callers who waited, and is not kept."""

    reply: StoredReply


@dataclass(frozen=True, slots=True)
class Lead:
    """Nobody else computes the reply: the caller is to, and to settle the flight or renew it before its lease ends."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Another one computes the reply. Its signal comes when it is done; without one, ask again after `seconds`."""

    seconds: float
    """What is left of the leader's lease."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """There is an entry, but nobody has said of late which version the corpus has: `confirm` it, and ask again."""


@dataclass(frozen=True, slots=True)
class CorpusChange:
    """A write to a tenant's corpus."""

    previous_version: int
    """The version before it; where the cache knows another, a change was lost, and all older entries die."""

    corpus_version: int
    """The version after it."""

    document_ids: Sequence[str] = ()
    """Documents that were replaced or removed, or may have been; those that are new need not be named."""

    unnamed: bool = False
    """Whether others were replaced or removed, too: then all older entries die, and no other is given unconfirmed."""


LOST_CHANGE = CorpusChange(0, 0, unnamed=True)
"""A write that nobody has an answer to: it may have been made, at a version that nobody here knows."""


class ContextCache(Protocol):
    """Replies of all tenants. All methods but `forget_history` raise CacheUnavailableError where the cache is away."""

    async def lookup(self, tenant: str, key: CacheKey, freshness: Freshness) -> Hit | Unverified | None:
        """Looks a reply up, in one round trip."""
        ...

    async def claim(
        self,
        tenant: str,
        key: CacheKey,
        freshness: Freshness,
        *,
        flight: str,
        lease: float,
        look: bool,
        waited: float | None = None,
    ) -> Hit | Shared | Lead | Wait | Unverified:
        """Looks a reply up; where there is none, begins its computation or joins the one under way: one round trip.

        `flight` names the caller's computation, `lease` is in seconds. Without `look` no stored reply is taken.
        `waited` is seconds since the caller asked and was told to wait for the first time; None where it was not yet.
        Only who has waited gets what was made for those who wait, with or without `look`: no older than its wait.
        """
        ...

    async def renew(self, tenant: str, key: CacheKey, *, flight: str, lease: float) -> bool:
        """Holds on to a flight; False where another has it by now."""
        ...

    async def settle(
        self, tenant: str, key: CacheKey, *, flight: str, entry: CacheEntry | None, shared: bytes | None
    ) -> bool:
        """Stores the reply, unless one of its documents has changed since, and ends the flight; those who wait hear it.

        Where there is no entry, `shared` is handed to those who wait; without either one of them computes by itself.
        A flight that another has taken over is left alone; its entry is stored all the same.

        Returns whether the reply is still right: none of the documents of its entry has changed since the flight
        began, or, where there is no entry, none of the tenant's at all. False, too, where nobody can tell any more.
        """
        ...

    async def advance(self, tenant: str, change: CorpusChange) -> None:
        """Tells every gateway of a write, in whatever order."""
        ...

    async def confirm(self, tenant: str, corpus_version: int) -> None:
        """Tells what the selector says is the present version: where writes went by unheard, all older entries die."""
        ...

    async def erase_documents(self, tenant: str, change: CorpusChange) -> int:
        """`advance`, and removes all entries and selections that name one of the documents; returns how many."""
        ...

    async def erase_tenant(self, tenant: str, corpus_version: int) -> int:
        """Removes all of a tenant, of which the corpus has nothing any more at this version; returns how many it were.

        Nothing older comes back.
        """
        ...

    async def flush(self, tenant: str) -> int:
        """Removes all entries and selections of a tenant; returns how many they were.

        What is being computed at that moment is not stored.
        """
        ...

    async def stats(self, tenant: str) -> cache_service_pb2.GetCacheStatsResponse:
        """Counts."""
        ...

    async def forget_history(self) -> None:
        """Has what was removed leave the cache's own log too, where it keeps one and lets us; never raises."""
        ...


class SelectionCache(Protocol):
    """What sources gave, by tenant and key. Every method raises CacheUnavailableError where the cache is away."""

    async def find(self, tenant: str, keys: Sequence[str]) -> list[selector.SelectResponse | None]:
        """Looks selections up, in one round trip.

        None where there is none, or one of its documents has changed since.
        """
        ...

    async def store(self, tenant: str, selections: Mapping[str, selector.SelectResponse]) -> None:
        """Stores selections of one corpus version, each unless one of its documents has changed since."""
        ...
