"""Finds the recipe of a request among what tenants have published."""

from scic import errors
from services.gateway.profiles.built_in import BUILT_IN, names_built_in
from services.gateway.profiles.known import KnownProfiles
from services.gateway.profiles.ports import ProfileStore, ResolvedProfile
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.reference import DEFAULT, Reference, parse_reference
from services.gateway.profiles.refusals import Moves, unknown_profile


class ProfileLibrary:
    """Profiles of the caller's tenant, beneath them those that all tenants share, beneath them the built-in one.

    A request costs no look into the storage: a move of a label is followed within seconds, and while the storage is
    away what was known last goes on answering.
    """

    def __init__(
        self, known: KnownProfiles, store: ProfileStore, base: Profile, *, shared_tenant: str | None = None
    ) -> None:
        self._known = known
        self._store = store
        self._built_in = ResolvedProfile(base, "", "main")
        self._shared_tenant = shared_tenant

    async def resolve(self, tenant: str, reference: str, unit: str) -> ResolvedProfile:
        """See `Profiles`."""
        wanted = parse_reference(reference or DEFAULT)
        # What a label was before is for people who look, not for requests.
        if wanted is not None and not wanted.back:
            for owner in self._owners(tenant):
                if found := await self._find(owner, wanted, tenant, unit):
                    return found
            if names_built_in(wanted):
                return self._built_in
        raise await self._unknown(tenant, reference, wanted)

    async def erase_tenant(self, tenant: str) -> int:
        """See `ErasableProfiles`."""
        try:
            return await self._store.erase(tenant)
        finally:
            self._known.forget(tenant)

    async def _unknown(self, tenant: str, reference: str, wanted: Reference | None) -> errors.ScicError:
        """The refusal of what names nothing, with what there is."""
        names = {BUILT_IN}
        moves: Moves = {}
        for owner in self._owners(tenant):
            names.update(await self._store.names(owner))
            if wanted is not None:
                moves = {**await self._store.generations(owner, wanted.name), **moves}
        return unknown_profile(reference, wanted, names, moves)

    def _owners(self, tenant: str) -> tuple[str, ...]:
        """Whose profiles the tenant may follow, in the order in which they are looked at."""
        if self._shared_tenant in {None, tenant}:
            return (tenant,)
        assert self._shared_tenant is not None, "it is not None here"
        return (tenant, self._shared_tenant)

    async def _find(self, owner: str, wanted: Reference, tenant: str, unit: str) -> ResolvedProfile | None:
        if wanted.version:
            pinned = await self._known.version(owner, wanted.name, wanted.version)
            return ResolvedProfile(pinned.profile, "", "pinned") if pinned else None
        placement = await self._known.label(owner, wanted.name, wanted.label)
        if placement is None:
            return None
        chosen = placement.choose(tenant, unit)
        known = await self._known.version(owner, wanted.name, chosen.version)
        if known is None:
            raise errors.STORAGE_UNAVAILABLE.error("a label leads to a version that the storage does not hold")
        return ResolvedProfile(
            known.profile, wanted.label, "main" if chosen.version == placement.main.version else "canary"
        )
