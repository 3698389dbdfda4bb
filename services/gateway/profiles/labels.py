"""Moves labels."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from math import fsum

from scic import errors
from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.callers.principal import Principal
from services.gateway.profiles.known import KnownProfiles
from services.gateway.profiles.placement import Placement, place
from services.gateway.profiles.ports import ProfileStore
from services.gateway.profiles.reference import LIVE, VERSION_PATTERN
from services.gateway.profiles.refusals import refused

_KEPT = 20
"""Moves of a label that are kept, the present one included."""

_TRIES = 10
"""Each is lost only to a move of somebody else."""

_TOLERANCE = 0.005
"""Percent that shares may miss 100 by: half a unit of their second decimal."""


class Labels:
    """Moves labels, each move a new generation that only one writer can create.

    Creating it is the comparison and the change in one: two who saw the same generation cannot both make the next one.

    Args:
        store: where labels and versions are.
        known: what this gateway has in memory, so that it follows its own moves at once.
        shared_tenant: the tenant whose labels may name tenants.
        now: the time, with its zone.
    """

    def __init__(
        self,
        store: ProfileStore,
        known: KnownProfiles,
        *,
        shared_tenant: str | None,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._known = known
        self._shared_tenant = shared_tenant
        self._now = now

    async def move(self, principal: Principal, request: pb.SetLabelRequest) -> pb.SetLabelResponse:
        """Moves a label. Raises ScicError INVALID_FIELD, LABEL_MOVED or STORAGE_UNAVAILABLE."""
        tenant = principal.tenant
        versions = [
            await self._store.read_version(tenant, request.name, variant.version) for variant in request.variants
        ]
        mistakes = [*_mistakes(request, sharing=tenant == self._shared_tenant), *_missing(request, versions)]
        if mistakes:
            raise refused(mistakes)
        before, placement = await self._create(principal, request)
        # It may have been removed since it was read, by somebody who could not yet see the move.
        for version in versions:
            assert version is not None, "missing ones were refused"
            await self._store.create_version(tenant, version)
        self._known.learn_label(tenant, placement)
        return pb.SetLabelResponse(label=placement.label, before=before.label if before else None)

    async def begin(self, principal: Principal, name: str, version: str) -> None:
        """Makes the label `live` of a name that has none. Raises ScicError STORAGE_UNAVAILABLE."""
        if await self._store.read_label(principal.tenant, name, LIVE) is None:
            label = self._label(principal, name, LIVE, [pb.Variant(version=version, percent=100)], generation=1)
            placement = place(label, None)
            if await self._store.create_generation(principal.tenant, placement):
                self._known.learn_label(principal.tenant, placement)

    async def _create(self, principal: Principal, request: pb.SetLabelRequest) -> tuple[Placement | None, Placement]:
        """The label as it was, and as it is now."""
        tenant, name, seen = principal.tenant, request.name, 0
        for _ in range(_TRIES):
            before = await self._store.read_label(tenant, name, request.label)
            if before and list(before.label.variants) == list(request.variants):
                # The same move again, whose first answer was lost on its way.
                return before, before
            seen = before.label.generation if before else 0
            if request.HasField("expected_generation") and request.expected_generation != seen:
                raise _moved(seen)
            label = self._label(principal, name, request.label, request.variants, generation=seen + 1)
            placement = place(label, before)
            if await self._store.create_generation(tenant, placement):
                await self._forget_old_ones(tenant, label)
                return before, placement
        raise _moved(seen)

    async def _forget_old_ones(self, tenant: str, label: pb.Label) -> None:
        """Keeps the newest generations. Raises ScicError LABEL_MOVED where `label` is none of them.

        Then its number was free only because others had long passed it and it was forgotten.
        """
        kept = (await self._store.generations(tenant, label.name)).get(label.label, ())
        newest = max(kept, default=label.generation)
        for generation in kept:
            if generation <= newest - _KEPT:
                await self._store.delete_generation(tenant, label.name, label.label, generation)
        if label.generation <= newest - _KEPT:
            raise _moved(newest)

    def _label(
        self, principal: Principal, name: str, label: str, variants: Sequence[pb.Variant], *, generation: int
    ) -> pb.Label:
        made = pb.Label(name=name, label=label, variants=variants, generation=generation, key_id=principal.key_id)
        made.update_time.FromDatetime(self._now())
        return made


def _mistakes(request: pb.SetLabelRequest, *, sharing: bool) -> Iterator[tuple[str, str]]:
    """What is wrong beyond the rules of the proto."""
    if VERSION_PATTERN.fullmatch(request.label):
        yield "label", "must not look like a version"
    total = fsum(variant.percent for variant in request.variants)
    if abs(total - 100) > _TOLERANCE:
        yield "variants", f"must have percentages that sum to 100; they sum to {total:g}"
    versions, tenants = Counter[str](), Counter[str]()
    for index, variant in enumerate(request.variants):
        versions[variant.version] += 1
        if versions[variant.version] > 1:
            yield f"variants[{index}].version", "must be unique"
        if variant.tenants and not sharing:
            yield (
                f"variants[{index}].tenants",
                "must be empty: only labels of the tenant that shares its profiles have them",
            )
        tenants.update(variant.tenants)
        if twice := [tenant for tenant in variant.tenants if tenants[tenant] > 1]:
            yield f"variants[{index}].tenants", f"must not name tenants of another variant: {', '.join(twice[:8])}"


def _missing(request: pb.SetLabelRequest, versions: Sequence[pb.ProfileVersion | None]) -> Iterator[tuple[str, str]]:
    for index, (variant, version) in enumerate(zip(request.variants, versions, strict=True)):
        if version is None:
            yield (
                f"variants[{index}].version",
                f"must be a version of {request.name}; there is no {variant.version}, or it was removed",
            )


def _moved(generation: int) -> errors.ScicError:
    return errors.LABEL_MOVED.error(
        f"the label was moved meanwhile; its generation is {generation}", metadata={"generation": str(generation)}
    )
