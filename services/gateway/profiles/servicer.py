"""ProfileService: wire to domain and back."""

from typing import Never

from scic import errors
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.gateway.v1 import profile_service_pb2_grpc as rpc
from services.chassis.interceptors import Context
from services.gateway.callers.authentication import current_principal
from services.gateway.profiles.built_in import built_in_version, names_built_in
from services.gateway.profiles.catalogue import Catalogue
from services.gateway.profiles.diff import changes
from services.gateway.profiles.labels import Labels
from services.gateway.profiles.listing import page
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.publisher import Publisher
from services.gateway.profiles.reference import parse_reference


class ProfileServicer(rpc.ProfileServiceServicer):
    """Answers for the recipes of the caller's tenant."""

    def __init__(self, publisher: Publisher, catalogue: Catalogue, labels: Labels) -> None:
        self._publisher = publisher
        self._catalogue = catalogue
        self._labels = labels

    async def PublishProfile(  # noqa: N802 - the name of the RPC
        self, request: pb.PublishProfileRequest, context: Context
    ) -> pb.PublishProfileResponse:
        """Stores a recipe."""
        return await self._publisher.publish(current_principal(), request)

    async def GetProfile(  # noqa: N802 - the name of the RPC
        self, request: pb.GetProfileRequest, context: Context
    ) -> pb.GetProfileResponse:
        """Returns a version."""
        return await self._catalogue.find(current_principal().tenant, request.profile, field="profile")

    async def ListProfiles(  # noqa: N802 - the name of the RPC
        self, request: pb.ListProfilesRequest, context: Context
    ) -> pb.ListProfilesResponse:
        """Lists names or versions."""
        return await page(self._catalogue, current_principal().tenant, request)

    async def DiffProfiles(  # noqa: N802 - the name of the RPC
        self, request: pb.DiffProfilesRequest, context: Context
    ) -> pb.DiffProfilesResponse:
        """Compares two versions."""
        tenant = current_principal().tenant
        before = await self._catalogue.find(tenant, request.from_profile, field="from_profile")
        after = await self._catalogue.find(tenant, request.to_profile, field="to_profile")
        return pb.DiffProfilesResponse(
            from_version=before.version,
            to_version=after.version,
            changes=changes(before.version.profile, after.version.profile),
        )

    async def SetLabel(  # noqa: N802 - the name of the RPC
        self, request: pb.SetLabelRequest, context: Context
    ) -> pb.SetLabelResponse:
        """Moves a label."""
        return await self._labels.move(current_principal(), request)


class NoStorageProfileServicer(rpc.ProfileServiceServicer):
    """Answers for a gateway that has nowhere to keep recipes: it shows the built-in one, and refuses all else with
    STORAGE_NOT_CONFIGURED.
    """

    def __init__(self, base: Profile) -> None:
        self._base = base

    async def PublishProfile(  # noqa: N802 - the name of the RPC
        self, request: pb.PublishProfileRequest, context: Context
    ) -> pb.PublishProfileResponse:
        """Refuses."""
        _refuse()

    async def GetProfile(  # noqa: N802 - the name of the RPC
        self, request: pb.GetProfileRequest, context: Context
    ) -> pb.GetProfileResponse:
        """Returns the built-in profile; refuses others."""
        wanted = parse_reference(request.profile)
        if wanted is None or not names_built_in(wanted):
            _refuse()
        return pb.GetProfileResponse(version=built_in_version(self._base))

    async def ListProfiles(  # noqa: N802 - the name of the RPC
        self, request: pb.ListProfilesRequest, context: Context
    ) -> pb.ListProfilesResponse:
        """Refuses."""
        _refuse()

    async def DiffProfiles(  # noqa: N802 - the name of the RPC
        self, request: pb.DiffProfilesRequest, context: Context
    ) -> pb.DiffProfilesResponse:
        """Refuses."""
        _refuse()

    async def SetLabel(  # noqa: N802 - the name of the RPC
        self, request: pb.SetLabelRequest, context: Context
    ) -> pb.SetLabelResponse:
        """Refuses."""
        _refuse()


def _refuse() -> Never:
    raise errors.STORAGE_NOT_CONFIGURED.error("this gateway has no storage, so it keeps no profiles")
