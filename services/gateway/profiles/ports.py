"""What the profiles need of a storage, and what a request needs of the profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.placement import Placement
from services.gateway.profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class ResolvedProfile:
    """The recipe that a request follows, and how it came to it."""

    profile: Profile

    label: str
    """The label that led to it; empty where a version was named, or nothing was published."""

    variant: Literal["main", "canary", "pinned"]
    """`main`: the label's largest share; `canary`: another one; `pinned`: the version was named."""


class Profiles(Protocol):
    """Finds the recipe of a request."""

    async def resolve(self, tenant: str, reference: str, unit: str) -> ResolvedProfile:
        """The recipe that `reference` names; "" is `default`.

        Where a label is split, `unit`, the id of the conversation or else of the request, decides. Raises ScicError
        UNKNOWN_PROFILE, or STORAGE_UNAVAILABLE where the storage has to be asked and does not answer.
        """
        ...


class ErasableProfiles(Profiles, Protocol):
    """Profiles that a tenant can be erased from."""

    async def erase_tenant(self, tenant: str) -> int:
        """Removes all versions and labels of a tenant; returns how many they were, each move of a label counted.

        Raises ScicError STORAGE_UNAVAILABLE; called again, it goes on. Other gateways forget the labels within seconds.
        """
        ...


class ProfileStore(Protocol):
    """Keeps versions and labels, durable once a method has returned.

    Every method raises ScicError STORAGE_UNAVAILABLE where the storage does not answer. Names are taken as checked.
    """

    async def names(self, tenant: str) -> Sequence[str]:
        """All names, in order; one of them may have no versions left."""
        ...

    async def versions(self, tenant: str, name: str) -> Mapping[str, datetime]:
        """The versions of a name, and when each was written last, by the storage's own clock."""
        ...

    async def read_version(self, tenant: str, name: str, version: str) -> pb.ProfileVersion | None:
        """A version; None where there is none."""
        ...

    async def create_version(self, tenant: str, version: pb.ProfileVersion) -> bool:
        """Stores a version; False, and nothing is done, where it is there."""
        ...

    async def write_version(self, tenant: str, version: pb.ProfileVersion) -> None:
        """Stores a version, whether or not it is there."""
        ...

    async def delete_version(self, tenant: str, name: str, version: str) -> None:
        """Removes a version; one that is not there is no error."""
        ...

    async def generations(self, tenant: str, name: str) -> Mapping[str, Sequence[int]]:
        """The labels of a name, in order, each with the generations that are kept of it, the newest last."""
        ...

    async def read_generation(self, tenant: str, name: str, label: str, generation: int) -> Placement | None:
        """A label as it was with a move; None where that is not kept."""
        ...

    async def create_generation(self, tenant: str, placement: Placement) -> bool:
        """Moves a label; False, and nothing is done, where another move made this generation."""
        ...

    async def delete_generation(self, tenant: str, name: str, label: str, generation: int) -> None:
        """Forgets a move; one that is not there is no error."""
        ...

    async def read_label(self, tenant: str, name: str, label: str) -> Placement | None:
        """A label as it is now; None where there is none."""
        ...

    async def is_newest(self, tenant: str, placement: Placement) -> bool:
        """Whether nobody has moved a label since; to see that costs a twelfth of reading it, as buckets are billed."""
        ...

    async def erase(self, tenant: str) -> int:
        """Removes all of a tenant; returns how many objects that were."""
        ...
