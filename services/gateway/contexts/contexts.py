"""Answers requests for contexts: from the cache where it is right, else by building, once for all who ask the same."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from scic import errors
from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as pb
from services.chassis import metrics
from services.chassis.deadline import Deadline, DeadlinePolicy
from services.chassis.logs import get_logger
from services.chassis.work import on_thread
from services.gateway.admission.build_gate import BuildGate
from services.gateway.admission.priority import Priority
from services.gateway.admission.prospects import Prospects
from services.gateway.building import reply
from services.gateway.building.builder import ContextBuilder
from services.gateway.building.prices import prompt_cost
from services.gateway.cache.corpus_versions import CorpusVersions
from services.gateway.cache.documents import documents_of
from services.gateway.cache.ports import CacheEntry, CacheKey, CacheUnavailableError, ContextCache, Hit, Unverified
from services.gateway.cache.use import CacheUse, NotStored, cache_use, why_not_stored
from services.gateway.callers.principal import Principal
from services.gateway.contexts.delivery import Delivery
from services.gateway.contexts.rewording import common, deliver, reword
from services.gateway.flight.flights import Flights
from services.gateway.flight.ticket import Answer, Built, Ticket
from services.gateway.guard.guard import Guard
from services.gateway.profiles.ports import Profiles, ResolvedProfile
from services.gateway.recipes.fingerprint import cache_key
from services.gateway.recipes.known import KnownRecipes
from services.gateway.recipes.recipe import Recipe, resolve

_log = get_logger(__name__)

_LONG_BYTES = 4_096

_HITS = {
    cache_pb2.CACHE_TIER_EXACT: metrics.CACHE_HITS.labels("exact"),
    cache_pb2.CACHE_TIER_SEMANTIC: metrics.CACHE_HITS.labels("semantic"),
}
"""By tier."""


class Contexts:
    """Builds and plans contexts for one request after another."""

    def __init__(
        self,
        *,
        builder: ContextBuilder,
        gate: BuildGate,
        cache: ContextCache,
        versions: CorpusVersions,
        flights: Flights,
        profiles: Profiles,
        guard: Guard,
        deadlines: DeadlinePolicy,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        clock: Callable[[], float],
        semantic: bool = False,
    ) -> None:
        """With `semantic` a question may get the context of one that says the same."""
        self._builder = builder
        self._gate = gate
        self._cache = cache
        self._versions = versions
        self._flights = flights
        self._profiles = profiles
        self._guard = guard
        self._deadlines = deadlines
        self._spawn = spawn
        self._clock = clock
        self._semantic = semantic
        self._known = KnownRecipes()
        self._prospects = Prospects()

    def check_room(self, principal: Principal) -> None:
        """Raises ScicError OVERLOADED where it is likely enough to be the end of it, before anything is done."""
        if self._gate.is_crowded(principal.priority) and not self._prospects.worth_a_look(principal.tenant):
            raise self._gate.refused(principal.priority)

    async def resolve(
        self, principal: Principal, request: pb.BuildContextRequest, *, default_max_tokens: int = 0
    ) -> Recipe:
        """What to do for a request. Raises ScicError for a request that cannot be answered.

        `default_max_tokens` is for where neither the request nor its profile names a bound.
        """
        unit = request.conversation_id or request.request_id
        resolved = await self._profiles.resolve(principal.tenant, request.profile, unit)
        metrics.PROFILE_REQUESTS.labels(resolved.variant).inc()
        if not default_max_tokens and (known := self._known.find(principal, request, resolved)):
            return known
        recipe = await self._recipe(request, resolved, default_max_tokens)
        # A rendered body holds the question's own words.
        semantic = self._semantic and not request.render
        recipe = replace(recipe, key=cache_key(recipe.request, recipe.profile, principal, semantic=semantic))
        if not default_max_tokens:
            self._known.add(principal, request, resolved, recipe, self._guard.screen(resolved.profile.guard))
        return recipe

    async def _recipe(
        self, request: pb.BuildContextRequest, resolved: ResolvedProfile, default_max_tokens: int = 0
    ) -> Recipe:
        screen = self._guard.screen(resolved.profile.guard)
        work = partial(resolve, request, resolved, screen, default_max_tokens=default_max_tokens)
        # Counting and looking through a long request takes milliseconds: not on the loop.
        return await on_thread(None, work) if request.ByteSize() > _LONG_BYTES else work()

    async def _compute(
        self, principal: Principal, recipe: Recipe, deadline: Deadline, *, dry_run: bool = False
    ) -> pb.BuildContextResponse:
        if recipe.known:
            # Nothing of it is masked, so what it shows is what was asked.
            recipe = await self._recipe(recipe.shown, recipe.resolved)
        async with self._gate.turn(principal.priority, deadline):
            keep = principal.priority is not Priority.BATCH
            return await self._builder.build(principal, recipe, deadline, dry_run=dry_run, keep=keep)

    async def build(self, principal: Principal, recipe: Recipe, deadline: Deadline) -> Delivery:
        """The context for a recipe."""
        use = cache_use(recipe.shown, batch=principal.priority is Priority.BATCH)
        if use.alone:
            built = await self._compute(principal, recipe, deadline)
            return Delivery(_computed(built, use, pb.CACHE_STATUS_BYPASSED))
        answer = await self._answer(principal, recipe, use, deadline)
        if use.look and answer.hit is None:
            metrics.CACHE_MISSES.labels("exact").inc()
        delivery = self._delivery(principal, recipe, use, answer)
        if delivery is None:
            # What there is holds the question in other words, and they cannot be exchanged.
            built = await self._compute(principal, recipe, deadline)
            return Delivery(_computed(built, use, pb.CACHE_STATUS_MISS))
        return delivery

    async def _answer(self, principal: Principal, recipe: Recipe, use: CacheUse, deadline: Deadline) -> Answer:
        ticket = self._ticket(principal, recipe, use, deadline)
        if not self._gate.is_crowded(principal.priority):
            return await self._flights.answer(ticket)
        if self._flights.is_under_way(ticket):
            answer = await self._flights.answer(ticket)
            self._prospects.looked(principal.tenant, served=True)
            return answer
        # It could only have what is stored; to lead a flight and to wait in line would cost more, for nothing.
        if use.look:
            with suppress(CacheUnavailableError):
                hit = await self._look_up(principal, recipe, use, deadline)
                self._prospects.looked(principal.tenant, served=hit is not None)
                if hit:
                    return Answer(hit=hit)
        raise self._gate.refused(principal.priority)

    async def plan(self, principal: Principal, recipe: Recipe, deadline: Deadline) -> pb.PlanContextResponse:
        """What `build` would do now; stores nothing."""
        use = cache_use(recipe.shown, batch=principal.priority is Priority.BATCH)
        built, forecast = None, pb.CACHE_STATUS_BYPASSED
        if use.look:
            try:
                hit = await self._look_up(principal, recipe, use, deadline)
            except CacheUnavailableError:
                forecast = pb.CACHE_STATUS_UNAVAILABLE
            else:
                built = reword(pb.BuildContextResponse.FromString(hit.reply.serialized), recipe) if hit else None
                forecast = pb.CACHE_STATUS_HIT if built else pb.CACHE_STATUS_MISS
        built = built or await self._compute(principal, recipe, deadline, dry_run=True)
        cost = prompt_cost(
            built.model,
            input_tokens=built.tokens.total - recipe.reserved_output_tokens,
            prefix_tokens=built.prefix_token_count,
            output_tokens=recipe.reserved_output_tokens,
        )
        return reply.plan(built, forecast, cost)

    async def rebuild(self, principal: Principal, recipe: Recipe, deadline: Deadline) -> pb.BuildContextResponse:
        """The context for a recipe as it would be built now, whatever the cache holds; stores nothing."""
        return await self._compute(principal, recipe, deadline, dry_run=True)

    async def _look_up(self, principal: Principal, recipe: Recipe, use: CacheUse, deadline: Deadline) -> Hit | None:
        key = _key(recipe)
        found = await self._cache.lookup(principal.tenant, key, use.freshness)
        if isinstance(found, Unverified) and await self._versions.confirm(principal.tenant, deadline):
            found = await self._cache.lookup(principal.tenant, key, use.freshness)
        return found if isinstance(found, Hit) else None

    def _ticket(self, principal: Principal, recipe: Recipe, use: CacheUse, deadline: Deadline) -> Ticket:
        async def build() -> Built:
            start = self._clock()
            built = await self._compute(principal, recipe, deadline)
            return _built(built, use, self._clock() - start)

        return Ticket(
            tenant=principal.tenant,
            key=_key(recipe),
            freshness=use.freshness,
            look=use.look,
            deadline=deadline,
            confirm=lambda: self._versions.confirm(principal.tenant, deadline),
            build=build,
        )

    def _delivery(self, principal: Principal, recipe: Recipe, use: CacheUse, answer: Answer) -> Delivery | None:
        """The answer as this caller should get it; None where it does not fit him."""
        if hit := answer.hit:
            delivery = deliver(hit.reply, recipe, exact=hit.tier == cache_pb2.CACHE_TIER_EXACT)
            if delivery is not None:
                _HITS[hit.tier].inc()
                report = delivery.own.cache_report
                report.tier = hit.tier
                report.age.FromNanoseconds(max(int(hit.age * 1e9), 0))
            if hit.due and not self._gate.is_crowded(Priority.LOW):
                self._spawn(self._refresh(principal, recipe, use))
            return delivery
        if answer.shared is not None:
            delivery = deliver(answer.shared, recipe)
        else:
            assert answer.built is not None, "one of the three is set"
            response = answer.built.response
            if not answer.joined:
                status = pb.CACHE_STATUS_MISS if use.look else pb.CACHE_STATUS_BYPASSED
                return Delivery(_computed(response, use, status if answer.available else pb.CACHE_STATUS_UNAVAILABLE))
            reworded = reword(_copy(response), recipe)
            delivery = reworded and Delivery(reworded)
        if delivery is not None:
            delivery.own.cache = pb.CACHE_STATUS_SHARED
        return delivery

    async def _refresh(self, principal: Principal, recipe: Recipe, use: CacheUse) -> None:
        """Makes an entry anew before its end."""
        metrics.CACHE_REFRESHES.inc()
        anew = replace(use, look=False)
        behind = replace(principal, priority=Priority.LOW)
        deadline = self._deadlines.unset().or_default(recipe.profile.deadline_seconds)
        try:
            await self._flights.answer(self._ticket(behind, recipe, anew, deadline))
        except errors.ScicError as error:
            # What there is serves until its end.
            _log.info("not_refreshed", reason=error.reason)


def _built(built: pb.BuildContextResponse, use: CacheUse, seconds: float) -> Built:
    """A reply and what others may have of it."""
    hurried = any(one.reason == errors.DEADLINE_EXCEEDED.name for one in built.degradations)
    reason = why_not_stored(built) or use.not_stored
    if hurried or reason == NotStored.NOT_STORED_PERSONAL:
        return Built(built, hurried, None, None)
    serialized = common(built)
    if reason:
        return Built(built, hurried, None, serialized)
    return Built(built, hurried, CacheEntry(serialized, built.corpus_version, documents_of(built), seconds), serialized)


def _computed(
    built: pb.BuildContextResponse, use: CacheUse, status: pb.CacheStatus.ValueType
) -> pb.BuildContextResponse:
    """A reply that was computed for this request."""
    built.cache = status
    reason = use.not_stored or why_not_stored(built)
    if status == pb.CACHE_STATUS_UNAVAILABLE:
        reason = NotStored.NOT_STORED_UNAVAILABLE
    if reason:
        built.cache_report.not_stored = reason
        metrics.CACHE_NOT_STORED.labels(NotStored.Name(reason).removeprefix("NOT_STORED_").lower()).inc()
    return built


def _key(recipe: Recipe) -> CacheKey:
    assert recipe.key is not None, "resolve has worked it out"
    return recipe.key


def _copy(response: pb.BuildContextResponse) -> pb.BuildContextResponse:
    copy = pb.BuildContextResponse()
    copy.CopyFrom(response)
    return copy
