"""What there is of profiles, line by line as it comes."""

from collections.abc import AsyncIterator, Sequence

from scic.cli.show_profiles import NAMES_HEADER, VERSIONS_HEADER, label_line, name_lines, version_line
from scic.client.profile_methods import ProfileMethods
from scic.gateway.v1 import profile_service_pb2 as pb


async def lines_of_names(client: ProfileMethods) -> AsyncIterator[str]:
    """What answers for each name; nothing where nothing was published."""
    begun = False
    async for newest in client.list_profiles():
        if not begun:
            yield NAMES_HEADER
        begun = True
        for line in name_lines(newest, await _labels(client, newest)):
            yield line


async def lines_of_versions(client: ProfileMethods, name: str) -> AsyncIterator[str]:
    """The versions of a name, newest first, and its labels; nothing where there are none."""
    newest = None
    async for version in client.list_profiles(name):
        if newest is None:
            yield VERSIONS_HEADER
        newest = newest or version
        yield version_line(version)
    if newest is not None:
        for label in await _labels(client, newest):
            yield label_line(label)


async def _labels(client: ProfileMethods, version: pb.ProfileVersion) -> Sequence[pb.Label]:
    """All labels of a version's name."""
    return (await client.get_profile(f"{version.name}@{version.version}")).labels
