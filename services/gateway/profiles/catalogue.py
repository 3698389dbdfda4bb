"""What a tenant has published, as it is in the storage now."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from scic import errors
from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.built_in import BUILT_IN, built_in_version, names_built_in
from services.gateway.profiles.known import KnownProfiles
from services.gateway.profiles.placement import Placement
from services.gateway.profiles.ports import ProfileStore
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.reference import LIVE, Reference, parse_reference
from services.gateway.profiles.refusals import profile_not_found, shared_profile_answers

_Result = TypeVar("_Result")

_READS = 32
"""Objects that are read at the same time."""


class Catalogue:
    """Looks versions and labels up for people, who want to see what was done a moment ago: only what never changes, the
    content of a version that the storage lists, comes from memory.

    Args:
        store: where versions and labels are.
        known: what this gateway has in memory.
        base: the built-in profile.
        shared_tenant: the tenant whose profiles answer before the built-in one.
    """

    def __init__(self, store: ProfileStore, known: KnownProfiles, base: Profile, *, shared_tenant: str | None) -> None:
        self._store = store
        self._known = known
        self._base = base
        self._shared_tenant = shared_tenant

    async def names(self, tenant: str) -> Sequence[str]:
        """All names, in order."""
        return await self._store.names(tenant)

    async def versions(self, tenant: str, name: str) -> list[pb.ProfileVersion]:
        """All versions of a name, the one that was published last first, recipes included."""
        written = await self._store.versions(tenant, name)
        found = await _together(self._read(tenant, name, version) for version in written)

        def publication(version: pb.ProfileVersion) -> tuple[datetime, datetime, str]:
            # The storage's clock is the same for all gateways, but it may tick in seconds.
            return written[version.version], version.create_time.ToDatetime(UTC), version.version

        return sorted((version for version in found if version), key=publication, reverse=True)

    async def labels(self, tenant: str, name: str) -> list[pb.Label]:
        """The labels of a name as they are now, in the order of their names."""
        generations = await self._store.generations(tenant, name)
        placements = await _together(self._store.read_label(tenant, name, label) for label in generations)
        return [placement.label for placement in placements if placement]

    async def followed(self, tenant: str, name: str) -> set[str]:
        """Versions that a label leads to, or led to with a move that is kept."""
        generations = await self._store.generations(tenant, name)
        placements = await _together(
            self._store.read_generation(tenant, name, label, generation)
            for label, kept in generations.items()
            for generation in kept
        )
        return {variant.version for placement in placements if placement for variant in placement.label.variants}

    async def find(self, tenant: str, reference: str, *, field: str) -> pb.GetProfileResponse:
        """The version that `reference` names, and the labels of its name.

        Where it says how a label was before, the label is given so. Where it means the built-in profile, that is given,
        without a version. Raises ScicError PROFILE_NOT_FOUND, naming `field`.
        """
        wanted = parse_reference(reference)
        if wanted is None:
            raise await self._not_found(tenant, reference, wanted, field)
        labels = await self.labels(tenant, wanted.name)
        version = wanted.version
        if not version:
            placement = await self._placement(tenant, wanted.name, wanted.label, wanted.back)
            if placement is None and names_built_in(wanted):
                return await self._built_in(field)
            if placement is None:
                raise await self._not_found(tenant, reference, wanted, field)
            version = placement.main.version
            labels = [placement.label if label.label == wanted.label else label for label in labels]
        found = await self._store.read_version(tenant, wanted.name, version)
        if found is None:
            raise await self._not_found(tenant, reference, wanted, field)
        return pb.GetProfileResponse(version=labelled(found, labels), labels=labels)

    async def _built_in(self, field: str) -> pb.GetProfileResponse:
        """The built-in profile, unless one that is shared answers in its place: that is its own tenant's to show."""
        if self._shared_tenant and await self._store.read_label(self._shared_tenant, BUILT_IN, LIVE):
            raise shared_profile_answers(field, BUILT_IN)
        return pb.GetProfileResponse(version=built_in_version(self._base))

    async def _not_found(self, tenant: str, reference: str, wanted: Reference | None, field: str) -> errors.ScicError:
        """The refusal of what names nothing, with what there is."""
        names = {*await self.names(tenant), BUILT_IN}
        moves = await self._store.generations(tenant, wanted.name) if wanted else {}
        return profile_not_found(field, reference, wanted, names, moves)

    async def _read(self, tenant: str, name: str, version: str) -> pb.ProfileVersion | None:
        known = await self._known.version(tenant, name, version)
        return known.message if known else await self._store.read_version(tenant, name, version)

    async def _placement(self, tenant: str, name: str, label: str, back: int) -> Placement | None:
        now = await self._store.read_label(tenant, name, label)
        if now is None or not back:
            return now
        return await self._store.read_generation(tenant, name, label, now.label.generation - back)


def labelled(version: pb.ProfileVersion, labels: Iterable[pb.Label]) -> pb.ProfileVersion:
    """A version with the labels that lead to it."""
    result = pb.ProfileVersion()
    result.CopyFrom(version)
    result.labels[:] = [
        label.label for label in labels if any(variant.version == version.version for variant in label.variants)
    ]
    return result


async def _together(reads: Iterable[Awaitable[_Result]]) -> list[_Result]:
    """What the reads give, in order; some at a time."""
    turns = asyncio.Semaphore(_READS)

    async def one(read: Awaitable[_Result]) -> _Result:
        async with turns:
            return await read

    return await asyncio.gather(*map(one, reads))
