"""What a client does with profiles."""

from collections.abc import AsyncIterator, Iterable, Mapping

from scic.client.calls import answer
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.gateway.v1 import profile_service_pb2_grpc as rpc


class ProfileMethods:
    """The methods of ProfileService, for the key's own tenant; a part of `Client`."""

    _profiles: "rpc.ProfileServiceAsyncStub"  # a type of the stubs alone
    _metadata: tuple[tuple[str, str], ...]

    async def publish_profile(
        self, name: str, profile: pb.Profile, *, dry_run: bool = False, timeout: float | None = None
    ) -> pb.PublishProfileResponse:
        """Stores a recipe as a version, named by its content; the first one of a name gets the label `live`.

        Needs the role operator. With `dry_run` it is only checked.
        """
        request = pb.PublishProfileRequest(name=name, profile=profile, validate_only=dry_run)
        return await answer(self._profiles.PublishProfile(request, metadata=self._metadata, timeout=timeout))

    async def get_profile(self, profile: str, *, timeout: float | None = None) -> pb.GetProfileResponse:
        """A version with its recipe, and the labels of its name. The built-in `default` has no version.

        Args:
            profile: `NAME` (its label `live`), `NAME@LABEL`, `NAME@LABEL~1` (what that was before the last move) or
                `NAME@VERSION`.
            timeout: seconds.
        """
        request = pb.GetProfileRequest(profile=profile)
        return await answer(self._profiles.GetProfile(request, metadata=self._metadata, timeout=timeout))

    async def list_profiles(
        self, name: str = "", *, page_size: int = 0, timeout: float | None = None
    ) -> AsyncIterator[pb.ProfileVersion]:
        """The newest version of each name, or all versions of one, newest first; without their recipes.

        They come page by page as they are wanted; `timeout` is for each page.
        """
        request = pb.ListProfilesRequest(name=name, page_size=page_size)
        while True:
            page = await answer(self._profiles.ListProfiles(request, metadata=self._metadata, timeout=timeout))
            for version in page.versions:
                yield version
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def diff_profiles(
        self, from_profile: str, to_profile: str, *, timeout: float | None = None
    ) -> pb.DiffProfilesResponse:
        """The fields in which two versions differ; they are named as in `get_profile`."""
        request = pb.DiffProfilesRequest(from_profile=from_profile, to_profile=to_profile)
        return await answer(self._profiles.DiffProfiles(request, metadata=self._metadata, timeout=timeout))

    async def set_label(
        self,
        name: str,
        label: str,
        variants: Mapping[str, float] | Iterable[pb.Variant],
        *,
        expected_generation: int | None = None,
        timeout: float | None = None,
    ) -> pb.SetLabelResponse:
        """Moves a label, or splits it. Needs the role operator.

        Args:
            name: the profile's name.
            label: such as `live`.
            variants: percentages by version, which sum to 100; or variants, which can name tenants.
            expected_generation: LABEL_MOVED where the label has another; 0: it does not exist. Default: whatever it is.
            timeout: seconds.
        """
        if isinstance(variants, Mapping):
            variants = [pb.Variant(version=version, percent=percent) for version, percent in variants.items()]
        request = pb.SetLabelRequest(name=name, label=label, variants=variants, expected_generation=expected_generation)
        return await answer(self._profiles.SetLabel(request, metadata=self._metadata, timeout=timeout))
