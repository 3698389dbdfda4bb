"""Publishes recipes."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from scic import errors
from scic.gateway.v1 import profile_service_pb2 as pb
from services.chassis.logs import get_logger
from services.chassis.work import on_thread
from services.gateway.callers.principal import Principal
from services.gateway.profiles.catalogue import Catalogue, labelled
from services.gateway.profiles.check import FixedTokens, mistakes
from services.gateway.profiles.known import KnownProfiles
from services.gateway.profiles.labels import Labels
from services.gateway.profiles.ports import ProfileStore
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.refusals import refused
from services.gateway.profiles.retention import Retention
from services.gateway.profiles.version import normalised, version_of

_log = get_logger(__name__)


class Publisher:
    """Stores recipes as versions; the same recipe is the same version, whoever publishes it and how often.

    Args:
        store: where versions are.
        known: what this gateway has in memory.
        catalogue: what there is.
        labels: gives the first version of a name the label `live`.
        retention: what goes once something new has come.
        base: what the server has where a recipe is silent.
        fixed_tokens: counts what a prompt has before question and evidence.
        max_deadline_seconds: how long any request may take on this server.
        spawn: begins work that a reply does not wait for.
        now: the time, with its zone.
    """

    def __init__(
        self,
        *,
        store: ProfileStore,
        known: KnownProfiles,
        catalogue: Catalogue,
        labels: Labels,
        retention: Retention,
        base: Profile,
        fixed_tokens: FixedTokens,
        max_deadline_seconds: float,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._known = known
        self._catalogue = catalogue
        self._labels = labels
        self._retention = retention
        self._base = base
        self._fixed_tokens = fixed_tokens
        self._max_deadline_seconds = max_deadline_seconds
        self._spawn = spawn
        self._now = now

    async def publish(self, principal: Principal, request: pb.PublishProfileRequest) -> pb.PublishProfileResponse:
        """Checks a recipe and stores it. Raises ScicError INVALID_FIELD or STORAGE_UNAVAILABLE."""
        # Counting the tokens of a long recipe takes a while.
        version = await on_thread(None, self._checked, request)
        tenant = principal.tenant
        if request.validate_only:
            stored = await self._store.read_version(tenant, version.name, version.version)
            return await self._response(tenant, stored or version, created=stored is None)
        version.key_id = principal.key_id
        version.create_time.FromDatetime(self._now())
        stored = await self._stored(tenant, version)
        await self._labels.begin(principal, version.name, version.version)
        self._known.learn_version(tenant, stored)
        self._spawn(self._prune(tenant, version.name))
        return await self._response(tenant, stored, created=stored is version)

    def _checked(self, request: pb.PublishProfileRequest) -> pb.ProfileVersion:
        """The version that a recipe is. Raises ScicError INVALID_FIELD."""
        if found := mistakes(request.profile, self._base, self._fixed_tokens, self._max_deadline_seconds):
            raise refused(found)
        recipe = normalised(request.profile)
        return pb.ProfileVersion(name=request.name, version=version_of(recipe), profile=recipe)

    async def _stored(self, tenant: str, version: pb.ProfileVersion) -> pb.ProfileVersion:
        """The version in the storage: this one, or the same as it was published before."""
        if await self._store.create_version(tenant, version):
            return version
        before = await self._store.read_version(tenant, version.name, version.version)
        # Written anew it is as young as what is published now: it must not go as an old one does.
        await self._store.write_version(tenant, before or version)
        return before or version

    async def _prune(self, tenant: str, name: str) -> None:
        try:
            await self._retention.prune(tenant, name)
        except errors.ScicError as error:
            _log.warning("profiles_not_pruned", reason=error.reason)

    async def _response(self, tenant: str, version: pb.ProfileVersion, *, created: bool) -> pb.PublishProfileResponse:
        labels = await self._catalogue.labels(tenant, version.name)
        return pb.PublishProfileResponse(version=labelled(version, labels), created=created)
