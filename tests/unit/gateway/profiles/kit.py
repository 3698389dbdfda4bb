"""A storage in memory that can be away or be stopped halfway, and what the tests of profiles are made of."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from obstore.store import MemoryStore

from scic import errors
from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.callers.principal import Principal, Role
from services.gateway.profiles.catalogue import Catalogue
from services.gateway.profiles.known import KnownProfiles
from services.gateway.profiles.labels import Labels
from services.gateway.profiles.library import ProfileLibrary
from services.gateway.profiles.profile import Profile, default_profile
from services.gateway.profiles.publisher import Publisher
from services.gateway.profiles.retention import Retention
from services.gateway.profiles.store import ObjectProfileStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

BASE = default_profile("gpt-4o")
SHARED = "house"


def operator(tenant: str) -> Principal:
    return Principal("ci", tenant, frozenset({Role.READER, Role.OPERATOR}))


def no_tokens(**_: Any) -> int:
    return 0


class Storage(ObjectProfileStore):
    """The real store on memory; `away` makes it fail, `before` runs something ahead of an operation."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.away = False
        self.calls = 0
        self.listings = 0
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.ages: dict[str, timedelta] = {}
        """Versions that were written so long before they were."""

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        self.calls += 1
        if self.away:
            raise errors.STORAGE_UNAVAILABLE.error("away")
        async with super()._asked():
            yield

    async def _list(self, folder: str) -> dict[str, datetime]:
        self.listings += 1
        return await super()._list(folder)

    async def _first(self, operation: str) -> None:
        if hook := self.before.pop(operation, None):
            await hook()

    async def versions(self, tenant: str, name: str) -> dict[str, datetime]:
        written = await super().versions(tenant, name)
        return {version: time - self.ages.get(version, timedelta()) for version, time in written.items()}

    async def delete_version(self, tenant: str, name: str, version: str) -> None:
        await self._first("delete_version")
        await super().delete_version(tenant, name, version)

    async def create_generation(self, tenant: str, placement: Any) -> bool:
        await self._first("create_generation")
        return await super().create_generation(tenant, placement)

    async def write_version(self, tenant: str, version: pb.ProfileVersion) -> None:
        await self._first("write_version")
        await super().write_version(tenant, version)


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Calendar:
    """The time that publications and moves are stamped with, ahead of the storage's own by `ahead`."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Gateway:
    """One gateway on a storage that others may share."""

    store: Storage
    known: KnownProfiles
    clock: Clock
    calendar: Calendar
    library: ProfileLibrary
    publisher: Publisher
    catalogue: Catalogue
    labels: Labels
    retention: Retention
    background: list[Coroutine[Any, Any, None]] = field(default_factory=list)

    async def publish(self, text: str, *, tenant: str = "acme", name: str = "support", **fields: Any) -> str:
        request = pb.PublishProfileRequest(name=name, profile=pb.Profile(instructions=text, **fields))
        response = await self.publisher.publish(operator(tenant), request)
        await self.finish()
        return response.version.version

    async def finish(self) -> None:
        """Does what replies do not wait for."""
        while self.background:
            await self.background.pop()

    async def move(
        self, label: str, shares: dict[str, float], *, tenant: str = "acme", name: str = "support", **fields: Any
    ) -> pb.SetLabelResponse:
        variants = [pb.Variant(version=version, percent=percent) for version, percent in shares.items()]
        request = pb.SetLabelRequest(name=name, label=label, variants=variants, **fields)
        return await self.labels.move(operator(tenant), request)

    async def move_to(self, label: pb.Label, *, tenant: str = "acme", **fields: Any) -> pb.SetLabelResponse:
        request = pb.SetLabelRequest(name=label.name, label=label.label, variants=label.variants, **fields)
        return await self.labels.move(operator(tenant), request)

    async def instructions(self, reference: str, *, tenant: str = "acme", unit: str = "u") -> str:
        return (await self.library.resolve(tenant, reference, unit)).profile.instructions

    async def versions(self, *, tenant: str = "acme", name: str = "support") -> list[str]:
        return [version.version for version in await self.catalogue.versions(tenant, name)]

    async def read_ahead(self) -> None:
        """Lets reads in the background end."""
        for memory in (self.known._labels, self.known._versions):
            await asyncio.gather(*memory._reads.values())


@asynccontextmanager
async def gateway(
    store: Storage | None = None,
    *,
    base: Profile = BASE,
    shared_tenant: str | None = SHARED,
    keep_count: int = 20,
    keep_days: float = 90,
) -> AsyncIterator[Gateway]:
    store = store or Storage()
    clock, calendar = Clock(), Calendar()
    background: list[Coroutine[Any, Any, None]] = []
    async with KnownProfiles(store, base, clock=clock) as known:
        catalogue = Catalogue(store, known, base, shared_tenant=shared_tenant)
        labels = Labels(store, known, shared_tenant=shared_tenant, now=calendar)
        retention = Retention(store, catalogue, keep_count=keep_count, keep_age=timedelta(days=keep_days), now=calendar)
        publisher = Publisher(
            store=store,
            known=known,
            catalogue=catalogue,
            labels=labels,
            retention=retention,
            base=base,
            fixed_tokens=no_tokens,
            max_deadline_seconds=60.0,
            spawn=background.append,
            now=calendar,
        )
        library = ProfileLibrary(known, store, base, shared_tenant=shared_tenant)
        yield Gateway(store, known, clock, calendar, library, publisher, catalogue, labels, retention, background)
        for work in background:
            work.close()
