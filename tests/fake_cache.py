"""The caches in memory: small, honest, and able to be away."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scic.gateway.v1 import cache_pb2, cache_service_pb2
from scic.selector.v1 import selector_service_pb2 as selector
from services.gateway.cache.documents import documents_of_selection
from services.gateway.cache.keys import flight_topic
from services.gateway.cache.ports import (
    CacheEntry,
    CacheKey,
    CacheUnavailableError,
    CorpusChange,
    Freshness,
    Hit,
    Lead,
    Shared,
    Unverified,
    Wait,
)
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.signals import LocalSignals


@dataclass
class StoredEntry:
    entry: CacheEntry
    made: float


@dataclass
class Flight:
    owner: str
    until: float
    waited: bool = False
    began: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """By computation: how often the tenant was flushed and written to, and the version, when it claimed the lead."""


@dataclass
class Handed:
    reply: bytes
    corpus_version: int
    made: float


@dataclass
class FakeCache:
    """Keeps replies in dictionaries. A test ends the trust in a version by taking the tenant off `confirmed`."""

    away: bool = False
    clock: Callable[[], float] = time.monotonic
    signals: LocalSignals = field(default_factory=LocalSignals)
    """Where those who wait hear that a flight has ended."""
    new_documents_seconds: float = 60.0
    due: bool = False
    """What hits say of themselves."""
    entries: dict[tuple[str, str], StoredEntry] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    flights: dict[tuple[str, str], Flight] = field(default_factory=dict)
    handed: dict[tuple[str, str], Handed] = field(default_factory=dict)
    """What was made for those who waited, until something changes."""
    versions: dict[str, int] = field(default_factory=dict)
    """Up to which everything was heard."""
    confirmed: set[str] = field(default_factory=set)
    """Tenants whose version may be trusted unasked."""
    floors: dict[str, int] = field(default_factory=dict)
    changed: dict[tuple[str, str], int] = field(default_factory=dict)
    """Versions of documents' last changes."""
    changes: list[tuple[str, CorpusChange]] = field(default_factory=list)
    """What was announced."""
    epochs: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    """Changes that may have ended a reply."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    histories_forgotten: int = 0

    def _enter(self) -> None:
        if self.away:
            raise CacheUnavailableError("away")

    def _dead(self, tenant: str, entry: CacheEntry) -> bool:
        version = entry.corpus_version
        newest = max((self.changed.get((tenant, name), 0) for name in entry.document_ids), default=0)
        return version < self.floors.get(tenant, 0) or newest > version

    def _found(self, tenant: str, exact: str, freshness: Freshness) -> CacheEntry | Unverified | None:
        stored = self.entries.get((tenant, exact))
        if stored is None:
            return None
        if self._dead(tenant, stored.entry):
            del self.entries[tenant, exact]
            self.counts[tenant, "stale"] += 1
            return None
        age = self.clock() - stored.made
        moved_on = self.versions.get(tenant, 0) > stored.entry.corpus_version
        too_old = freshness.max_age is not None and age > freshness.max_age
        if (
            (moved_on and age >= self.new_documents_seconds)
            or stored.entry.corpus_version < freshness.min_corpus_version
            or too_old
        ):
            return None
        return stored.entry if tenant in self.confirmed else Unverified()

    def _look(self, tenant: str, key: CacheKey, freshness: Freshness) -> Hit | Unverified | None:
        names = {cache_pb2.CACHE_TIER_EXACT: key.exact}
        if key.meaning and (tenant, key.meaning) in self.aliases:
            names[cache_pb2.CACHE_TIER_SEMANTIC] = self.aliases[tenant, key.meaning]
        for tier, exact in names.items():
            match self._found(tenant, exact, freshness):
                case Unverified():
                    return Unverified()
                case CacheEntry() as entry:
                    self.counts[tenant, str(tier)] += 1
                    return Hit(
                        StoredReply.of(entry.reply), tier, self.clock() - self.entries[tenant, exact].made, self.due
                    )
        return None

    async def lookup(self, tenant: str, key: CacheKey, freshness: Freshness) -> Hit | Unverified | None:
        self._enter()
        found = self._look(tenant, key, freshness)
        self.counts[tenant, "miss"] += found is None
        return found

    def _handed_on(self, tenant: str, key: CacheKey, freshness: Freshness, waited: float) -> Shared | None:
        handed = self.handed.get((tenant, key.exact))
        if handed is None or handed.corpus_version < freshness.min_corpus_version:
            return None
        most = waited if freshness.max_age is None else min(waited, freshness.max_age)
        return Shared(StoredReply.of(handed.reply)) if self.clock() - handed.made <= most else None

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
        self._enter()
        name = tenant, key.exact
        if look and (found := self._look(tenant, key, freshness)):
            return found
        if waited is not None and (handed := self._handed_on(tenant, key, freshness, waited)):
            return handed
        under_way = self.flights.get(name)
        if under_way and under_way.owner != flight and under_way.until > self.clock():
            under_way.waited = True
            return Wait(under_way.until - self.clock())
        if under_way is None:
            under_way = self.flights[name] = Flight(flight, 0)
        under_way.owner, under_way.until = flight, self.clock() + lease
        under_way.began[flight] = (self.epochs[tenant], self.writes[tenant], self.versions.get(tenant, 0))
        self.counts[tenant, "miss"] += look
        return Lead()

    async def renew(self, tenant: str, key: CacheKey, *, flight: str, lease: float) -> bool:
        self._enter()
        under_way = self.flights.get((tenant, key.exact))
        if under_way is None or under_way.owner != flight:
            return False
        under_way.until = self.clock() + lease
        return True

    async def settle(
        self, tenant: str, key: CacheKey, *, flight: str, entry: CacheEntry | None, shared: bytes | None
    ) -> bool:
        self._enter()
        name = tenant, key.exact
        under_way = self.flights.get(name)
        epoch, writes, known = under_way.began.get(flight, (-1, 0, 0)) if under_way else (-1, 0, 0)
        untouched = writes == self.writes[tenant]
        right = epoch == self.epochs[tenant] and (untouched if entry is None else not self._dead(tenant, entry))
        if right and entry is not None:
            self.keep(tenant, key, entry)
        elif right and shared is not None and under_way is not None and under_way.waited:
            self.handed[name] = Handed(shared, known, self.clock())
        if under_way is not None and under_way.owner == flight:
            del self.flights[name]
            if under_way.waited:
                self.signals.speak(flight_topic(tenant, key.exact))
        return right

    def keep(self, tenant: str, key: CacheKey, entry: CacheEntry) -> None:
        """Puts an entry in without a flight."""
        self.entries[tenant, key.exact] = StoredEntry(entry, self.clock())
        self.versions.setdefault(tenant, entry.corpus_version)
        if key.meaning:
            self.aliases[tenant, key.meaning] = key.exact

    async def advance(self, tenant: str, change: CorpusChange) -> None:
        self._enter()
        self.changes.append((tenant, change))
        if change.document_ids or change.unnamed:
            self._take_back(tenant)
        for name in change.document_ids:
            self.changed[tenant, name] = max(self.changed.get((tenant, name), 0), change.corpus_version)
        if change.unnamed:
            self._raise(tenant, change.corpus_version)
            self.confirmed.discard(tenant)
        elif change.previous_version <= self.versions.get(tenant, change.previous_version):
            self.versions[tenant] = max(self.versions.get(tenant, 0), change.corpus_version)

    def _take_back(self, tenant: str) -> None:
        """Nothing is handed on that was made before."""
        self.writes[tenant] += 1
        self.handed = {name: reply for name, reply in self.handed.items() if name[0] != tenant}

    def _raise(self, tenant: str, version: int) -> None:
        self._take_back(tenant)
        self.floors[tenant] = max(self.floors.get(tenant, 0), version)
        self.versions[tenant] = max(self.versions.get(tenant, 0), version)

    async def confirm(self, tenant: str, corpus_version: int) -> None:
        self._enter()
        if corpus_version > self.versions.get(tenant, 0):
            self._raise(tenant, corpus_version)
        self.confirmed.add(tenant)

    async def erase_documents(self, tenant: str, change: CorpusChange) -> int:
        await self.advance(tenant, change)
        return self._remove(tenant, None if change.unnamed else change.document_ids)

    async def erase_tenant(self, tenant: str, corpus_version: int) -> int:
        await self.advance(tenant, CorpusChange(corpus_version, corpus_version, unnamed=True))
        return await self.flush(tenant)

    async def flush(self, tenant: str) -> int:
        self._enter()
        self.epochs[tenant] += 1
        self._take_back(tenant)
        self.counts = Counter({name: count for name, count in self.counts.items() if name[0] != tenant})
        return self._remove(tenant, None)

    def _remove(self, tenant: str, document_ids: Sequence[str] | None) -> int:
        gone = [
            name
            for name, stored in self.entries.items()
            if name[0] == tenant
            and (document_ids is None or not set(document_ids).isdisjoint(stored.entry.document_ids))
        ]
        for name in gone:
            del self.entries[name]
        return len(gone)

    async def stats(self, tenant: str) -> cache_service_pb2.GetCacheStatsResponse:
        self._enter()
        kept = [stored.entry for name, stored in self.entries.items() if name[0] == tenant]
        tiers = (cache_pb2.CACHE_TIER_EXACT, cache_pb2.CACHE_TIER_SEMANTIC)
        return cache_service_pb2.GetCacheStatsResponse(
            entry_count=len(kept),
            size_bytes=sum(len(entry.reply) for entry in kept),
            tiers=[
                cache_service_pb2.CacheTierStats(tier=tier, hit_count=self.counts[tenant, str(tier)]) for tier in tiers
            ],
            miss_count=self.counts[tenant, "miss"],
            stale_count=self.counts[tenant, "stale"],
        )

    async def forget_history(self) -> None:
        self.histories_forgotten += 1


@dataclass
class FakeSelections:
    """Keeps what sources gave in a dictionary, beside a cache that hears of changes, where one is given."""

    away: bool = False
    cache: FakeCache | None = None
    kept: dict[tuple[str, str], selector.SelectResponse] = field(default_factory=dict)

    def _enter(self) -> None:
        if self.away:
            raise CacheUnavailableError("away")

    def _dead(self, tenant: str, selection: selector.SelectResponse) -> bool:
        entry = CacheEntry(b"", selection.corpus_version, documents_of_selection(selection), 0)
        return self.cache is not None and self.cache._dead(tenant, entry)

    async def find(self, tenant: str, keys: Sequence[str]) -> list[selector.SelectResponse | None]:
        self._enter()
        found = [self.kept.get((tenant, key)) for key in keys]
        return [None if one is None or self._dead(tenant, one) else one for one in found]

    async def store(self, tenant: str, selections: Mapping[str, selector.SelectResponse]) -> None:
        self._enter()
        alive = {key: selection for key, selection in selections.items() if not self._dead(tenant, selection)}
        self.kept.update({(tenant, key): selection for key, selection in alive.items()})
