"""The profiles of a gateway, wired by its settings."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from obstore.store import ObjectStore

from scic.gateway.v1 import profile_service_pb2_grpc as rpc
from services.gateway.profiles.built_in import BuiltInProfiles
from services.gateway.profiles.catalogue import Catalogue
from services.gateway.profiles.check import FixedTokens
from services.gateway.profiles.known import KnownProfiles
from services.gateway.profiles.labels import Labels
from services.gateway.profiles.library import ProfileLibrary
from services.gateway.profiles.ports import ErasableProfiles
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.publisher import Publisher
from services.gateway.profiles.retention import Retention
from services.gateway.profiles.servicer import NoStorageProfileServicer, ProfileServicer
from services.gateway.profiles.store import ObjectProfileStore


@dataclass(frozen=True, slots=True)
class WiredProfiles:
    """What a request needs of the profiles, and what answers for them."""

    profiles: ErasableProfiles
    servicer: rpc.ProfileServiceServicer


@asynccontextmanager
async def wired_profiles(
    storage: ObjectStore | None,
    *,
    base: Profile,
    shared_tenant: str | None,
    keep_days: float,
    keep_count: int,
    fixed_tokens: FixedTokens,
    max_deadline_seconds: float = 60.0,
    spawn: Callable[[Coroutine[Any, Any, None]], None],
) -> AsyncIterator[WiredProfiles]:
    """The profiles of a storage; without one the built-in profile alone. `base` is what the server has by default."""
    if storage is None:
        yield WiredProfiles(BuiltInProfiles(base), NoStorageProfileServicer(base))
        return

    def now() -> datetime:
        return datetime.now(UTC)

    store = ObjectProfileStore(storage)
    async with KnownProfiles(store, base) as known:
        catalogue = Catalogue(store, known, base, shared_tenant=shared_tenant)
        labels = Labels(store, known, shared_tenant=shared_tenant, now=now)
        publisher = Publisher(
            store=store,
            known=known,
            catalogue=catalogue,
            labels=labels,
            retention=Retention(store, catalogue, keep_count=keep_count, keep_age=timedelta(days=keep_days), now=now),
            base=base,
            fixed_tokens=fixed_tokens,
            max_deadline_seconds=max_deadline_seconds,
            spawn=spawn,
            now=now,
        )
        library = ProfileLibrary(known, store, base, shared_tenant=shared_tenant)
        yield WiredProfiles(library, ProfileServicer(publisher, catalogue, labels))
