"""What a gateway knows of the profiles without asking the storage."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.followed import Followed
from services.gateway.profiles.placement import Placement
from services.gateway.profiles.ports import ProfileStore
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.recipe import domain_profile

_LABELS = 20_000
_VERSION_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version as it is stored, and the recipe that it is on this gateway."""

    message: pb.ProfileVersion
    profile: Profile


class KnownProfiles:
    """Labels as they were a second or so ago, and versions, which never change; both bounded, both for all tenants.

    Use it as an async context manager: it reads in the background.
    """

    def __init__(self, store: ProfileStore, base: Profile, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._base = base
        self._labels = Followed(self._read_label, capacity=_LABELS, clock=clock)
        self._versions = Followed(
            self._read_version,
            capacity=_VERSION_BYTES,
            weigh=lambda known: known.message.ByteSize(),
            constant=True,
            clock=clock,
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._labels)
        await self._stack.enter_async_context(self._versions)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def label(self, tenant: str, name: str, label: str) -> Placement | None:
        """A label, at most 5 s old while the storage answers. Raises ScicError STORAGE_UNAVAILABLE."""
        return await self._labels.get((tenant, name, label))

    async def version(self, tenant: str, name: str, version: str) -> KnownVersion | None:
        """A version. Raises ScicError STORAGE_UNAVAILABLE."""
        return await self._versions.get((tenant, name, version))

    def learn_label(self, tenant: str, placement: Placement) -> None:
        """Remembers a move of this gateway."""
        self._labels.learn((tenant, placement.label.name, placement.label.label), placement)

    def learn_version(self, tenant: str, version: pb.ProfileVersion) -> None:
        """Remembers what was published at this gateway."""
        self._versions.learn((tenant, version.name, version.version), self._known(version))

    def forget(self, tenant: str) -> None:
        """Remembers nothing more of a tenant that is erased."""
        for memory in (self._labels, self._versions):
            memory.forget(lambda key: key[0] == tenant)

    async def _read_label(self, key: tuple[str, str, str], known: Placement | None) -> Placement | None:
        tenant, _, _ = key
        if known is not None and await self._store.is_newest(tenant, known):
            return known
        return await self._store.read_label(*key)

    async def _read_version(self, key: tuple[str, str, str], _: KnownVersion | None) -> KnownVersion | None:
        message = await self._store.read_version(*key)
        return None if message is None else self._known(message)

    def _known(self, message: pb.ProfileVersion) -> KnownVersion:
        return KnownVersion(message, domain_profile(message.name, message.version, message.profile, self._base))
