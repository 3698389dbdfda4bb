"""Answers requests for contexts: from the cache where it is right, else by building."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from scic.gateway.v1 import context_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.chassis.logs import get_logger
from services.gateway import reply
from services.gateway.builder import ContextBuilder
from services.gateway.fingerprint import fingerprint
from services.gateway.guard.guard import Guard
from services.gateway.ports import CacheEntry, CacheUnavailableError, ContextCache, Selector
from services.gateway.prices import prompt_cost
from services.gateway.principal import Principal
from services.gateway.profiles.ports import Profiles
from services.gateway.recipe import Recipe, resolve
from services.gateway.rewording import reword
from services.gateway.stage_error import StageError

_log = get_logger(__name__)

_LONG_BYTES = 4_096


class Contexts:
    """Builds and plans contexts for one request after another."""

    def __init__(
        self,
        *,
        builder: ContextBuilder,
        cache: ContextCache,
        selector: Selector,
        profiles: Profiles,
        guard: Guard,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._builder = builder
        self._cache = cache
        self._selector = selector
        self._profiles = profiles
        self._guard = guard
        self._spawn = spawn

    async def resolve(
        self, principal: Principal, request: pb.BuildContextRequest, *, default_max_tokens: int = 0
    ) -> Recipe:
        """What to do for a request. Raises ScicError for a request that cannot be answered.

        `default_max_tokens` is for where neither the request nor its profile names a bound.
        """
        unit = request.conversation_id or request.request_id
        resolved = await self._profiles.resolve(principal.tenant, request.profile, unit)
        metrics.PROFILE_REQUESTS.labels(resolved.variant).inc()
        screen = self._guard.screen(resolved.profile.guard)
        work = partial(resolve, request, resolved, screen, default_max_tokens=default_max_tokens)
        # Counting and looking through a long request takes milliseconds: not on the loop.
        return await asyncio.to_thread(work) if request.ByteSize() > _LONG_BYTES else work()

    async def build(self, principal: Principal, recipe: Recipe, deadline: Deadline) -> pb.BuildContextResponse:
        """The context for a recipe."""
        key = fingerprint(recipe.request, recipe.profile, principal)
        try:
            cached = await self._cached(principal.tenant, key, recipe, deadline)
            available = True
        except CacheUnavailableError:
            cached, available = None, False
        if cached is not None:
            metrics.CACHE_HITS.labels("exact").inc()
            return cached
        metrics.CACHE_MISSES.labels("exact").inc()
        built = await self._builder.build(principal, recipe, deadline)
        if not available:
            built.cache = pb.CACHE_STATUS_UNAVAILABLE
        elif not built.degradations and not built.isolation.pseudonyms:
            # The caller does not wait for the write.
            self._spawn(self._store(principal.tenant, key, built))
        return built

    async def plan(self, principal: Principal, recipe: Recipe, deadline: Deadline) -> pb.PlanContextResponse:
        """What `build` would do now; stores nothing."""
        try:
            key = fingerprint(recipe.request, recipe.profile, principal)
            cached = await self._cached(principal.tenant, key, recipe, deadline)
        except CacheUnavailableError:
            built, forecast = None, pb.CACHE_STATUS_UNAVAILABLE
        else:
            built, forecast = cached, pb.CACHE_STATUS_HIT if cached else pb.CACHE_STATUS_MISS
        built = built or await self._builder.build(principal, recipe, deadline, dry_run=True)
        cost = prompt_cost(
            built.model,
            input_tokens=built.tokens.total - recipe.reserved_output_tokens,
            prefix_tokens=built.prefix_token_count,
            output_tokens=recipe.reserved_output_tokens,
        )
        return reply.plan(built, forecast, cost)

    async def rebuild(self, principal: Principal, recipe: Recipe, deadline: Deadline) -> pb.BuildContextResponse:
        """The context for a recipe as it would be built now, whatever the cache holds; stores nothing."""
        return await self._builder.build(principal, recipe, deadline, dry_run=True)

    async def _cached(
        self, tenant: str, key: str, recipe: Recipe, deadline: Deadline
    ) -> pb.BuildContextResponse | None:
        """The stored reply, if the corpus is still the one it was built from."""
        lookup = await self._cache.lookup(tenant, key)
        if lookup.entry is None:
            return None
        version = lookup.corpus_version
        if version is None:
            version = await self._corpus_version(tenant, deadline)
        if lookup.entry.corpus_version != version:
            return None
        stored = pb.BuildContextResponse.FromString(lookup.entry.reply)
        return reword(stored, recipe)

    async def _corpus_version(self, tenant: str, deadline: Deadline) -> int | None:
        """Asks the selector, and tells the cache for a while, so that not every request asks."""
        request = selector.GetCorpusVersionRequest(tenant=tenant)
        try:
            response = await self._selector.get_corpus_version(request, timeout=deadline.share(0.2).remaining())
        except StageError:
            return None
        await self._cache.publish_version(tenant, response.corpus_version, removed=False)
        return response.corpus_version

    async def _store(self, tenant: str, key: str, built: pb.BuildContextResponse) -> None:
        entry = CacheEntry(built.SerializeToString(), built.corpus_version)
        try:
            await self._cache.store(tenant, key, entry)
        except CacheUnavailableError as error:
            _log.warning("cache_store_failed", error=str(error))
