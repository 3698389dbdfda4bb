"""Pages of names and of versions."""

from collections.abc import Sequence

from scic.gateway.v1 import profile_service_pb2 as pb
from services.chassis.page_token import ForeignPageTokenError, last_listed, page_token
from services.gateway.profiles.catalogue import Catalogue, labelled
from services.gateway.profiles.refusals import refused

_PAGE_SIZE = 100


async def page(catalogue: Catalogue, tenant: str, request: pb.ListProfilesRequest) -> pb.ListProfilesResponse:
    """The newest version of each name, or the versions of one. Raises ScicError INVALID_FIELD for a foreign token."""
    size = request.page_size or _PAGE_SIZE
    last = _last_listed(request)
    if request.name:
        return await _versions(catalogue, tenant, request.name, last, size)
    return await _names(catalogue, tenant, last, size)


async def _names(catalogue: Catalogue, tenant: str, last: str, size: int) -> pb.ListProfilesResponse:
    result = pb.ListProfilesResponse()
    for name in await catalogue.names(tenant):
        if name <= last:
            continue
        if len(result.versions) == size:
            result.next_page_token = page_token("", result.versions[-1].name)
            break
        if versions := await catalogue.versions(tenant, name):
            labels = await catalogue.labels(tenant, name)
            result.versions.append(_summary(versions[0], labels))
            result.labels.extend(labels)
    return result


async def _versions(catalogue: Catalogue, tenant: str, name: str, last: str, size: int) -> pb.ListProfilesResponse:
    versions = _after(await catalogue.versions(tenant, name), last)
    labels = await catalogue.labels(tenant, name) if versions else []
    return pb.ListProfilesResponse(
        versions=[_summary(version, labels) for version in versions[:size]],
        labels=labels,
        next_page_token=page_token(name, versions[size - 1].version) if len(versions) > size else "",
    )


def _after(versions: Sequence[pb.ProfileVersion], last: str) -> Sequence[pb.ProfileVersion]:
    """What follows the version that was listed last; nothing where that was removed, as all older ones may be."""
    if not last:
        return versions
    place = next((index for index, version in enumerate(versions) if version.version == last), len(versions))
    return versions[place + 1 :]


def _summary(version: pb.ProfileVersion, labels: Sequence[pb.Label]) -> pb.ProfileVersion:
    summary = labelled(version, labels)
    summary.ClearField("profile")
    return summary


def _last_listed(request: pb.ListProfilesRequest) -> str:
    try:
        return last_listed(request.page_token, request.name)
    except ForeignPageTokenError:
        raise refused([("page_token", "must be next_page_token of a page of this listing")]) from None
