"""The profile that every gateway has, and a gateway that has no other."""

from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.ports import ResolvedProfile
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.reference import DEFAULT, LIVE, Reference, parse_reference
from services.gateway.profiles.refusals import unknown_profile

BUILT_IN = DEFAULT
"""Its name; a tenant that publishes one of that name has its own instead."""


def names_built_in(reference: Reference) -> bool:
    """Whether a reference means the built-in profile where nothing was published."""
    return (reference.name, reference.label, reference.back) == (BUILT_IN, LIVE, 0)


def built_in_version(base: Profile) -> pb.ProfileVersion:
    """The built-in profile to look at; nobody has published it, so it has no version, time or key."""
    sources = [
        pb.ProfileSource(
            name=source.name,
            required=source.required or None,
            priority=source.priority,
            min_share=source.min_share or None,
            max_share=source.max_share or None,
        )
        for source in base.sources.values()
        if source.default
    ]
    recipe = pb.Profile(instructions=base.instructions, model=base.model, encoding=base.encoding, sources=sources)
    return pb.ProfileVersion(name=BUILT_IN, profile=recipe)


class BuiltInProfiles:
    """The profiles of a gateway without a storage: the built-in one alone."""

    def __init__(self, base: Profile) -> None:
        self._built_in = ResolvedProfile(base, "", "main")

    async def resolve(self, tenant: str, reference: str, unit: str) -> ResolvedProfile:
        """See `Profiles`."""
        wanted = parse_reference(reference or DEFAULT)
        if wanted is None or not names_built_in(wanted):
            raise unknown_profile(reference, wanted, {BUILT_IN}, {})
        return self._built_in

    async def erase_tenant(self, tenant: str) -> int:
        """Nothing: no tenant has any."""
        return 0
