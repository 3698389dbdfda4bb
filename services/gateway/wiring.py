"""What every process of the gateway stands on, whichever its role: keys, stages, caches, contexts, jobs, ingestion."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from obstore.store import ObjectStore

from services.chassis.app import StartupError
from services.chassis.deadline import DeadlinePolicy
from services.gateway.admission.build_gate import BuildGate
from services.gateway.background import Background
from services.gateway.building.builder import ContextBuilder
from services.gateway.building.prices import token_price
from services.gateway.cache.corpus_versions import CorpusVersions
from services.gateway.cache.no_cache import NoCache, NoSelectionCache
from services.gateway.cache.ports import ContextCache, SelectionCache
from services.gateway.cache.redis_cache import RedisContextCache
from services.gateway.cache.redis_selections import RedisSelectionCache
from services.gateway.callers.principal import KeyFileError, KeyRing, parse_keys, read_keys
from services.gateway.connections import guarded_redis, listening_client, redis_client, selector_client, stage_clients
from services.gateway.contexts.contexts import Contexts
from services.gateway.contexts.recording import Recording
from services.gateway.corpus.announcer import Announcer
from services.gateway.flight.flights import Flights
from services.gateway.guard.detect import default_detectors
from services.gateway.guard.guard import Guard
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.jobs.no_queue import NoQueue
from services.gateway.jobs.ports import JobQueue
from services.gateway.jobs.redis_job_queue import RedisJobQueue
from services.gateway.ledger.no_ledger import NoLedger
from services.gateway.ledger.ports import Ledger
from services.gateway.ledger.record_id import new_record_id
from services.gateway.ledger.wiring import open_ledger
from services.gateway.profiles.profile import Profile, default_profile
from services.gateway.profiles.wiring import WiredProfiles, wired_profiles
from services.gateway.redis.signals import redis_signals
from services.gateway.settings import GatewaySettings
from services.gateway.signals import LocalSignals, Signals
from services.gateway.sources.declarations import declared_sources
from services.gateway.sources.ladder import Ladder
from services.gateway.sources.source import Sources
from services.gateway.stages.ports import Stages
from services.gateway.storage import StorageUrlError, open_storage
from services.gateway.unique import unique_word
from services.prompt.fixed import fixed_tokens
from services.text.tokens import ENCODING_NAMES, UnknownModelError, encoding_for


@dataclass(frozen=True, slots=True)
class Core:
    """What answers requests and does jobs."""

    keys: KeyRing
    sources: Sources
    profile: Profile
    """The built-in one."""

    profiles: WiredProfiles
    guard: Guard
    stages: Stages
    cache: ContextCache
    announcer: Announcer
    queue: JobQueue
    signals: Signals
    ledger: Ledger
    recording: Recording
    ingester: BatchIngester
    deadlines: DeadlinePolicy


@asynccontextmanager
async def open_core(settings: GatewaySettings) -> AsyncIterator[Core]:
    """Opens it all; closes it in reverse. Raises StartupError."""
    async with AsyncExitStack() as stack:
        keys = read_key_ring(settings)
        # Half a second each: before the first request, not in it.
        await asyncio.gather(
            asyncio.to_thread(token_price, settings.default_model),
            *(asyncio.to_thread(encoding_for, name) for name in ENCODING_NAMES),
        )
        sources = declared_sources(settings.sources)
        profile = default_profile(_known_model(settings.default_model), sources, settings.pin_patterns)
        deadlines = DeadlinePolicy(settings.default_deadline_seconds, settings.max_deadline_seconds)
        stages = await stage_clients(settings, stack, "")
        # Breakers of its own: a long ingestion that overwhelms the encoders must not cut questions off.
        ingestion_stages = await stage_clients(settings, stack, "-ingestion")
        # Each use of Redis has connections of its own: what is large and not waited for must not hold up what is.
        cache, selections = await _cache(settings, stack), await _selections(settings, stack)
        queue = await _queue(settings, stack)
        signals = await _signals(settings, stack)
        background = await stack.enter_async_context(Background())
        storage = await asyncio.to_thread(_storage, settings)
        ledger = await _ledger(settings, storage, stack)
        detectors = await asyncio.to_thread(default_detectors)
        guard = Guard(detectors)
        profiles = await stack.enter_async_context(
            wired_profiles(
                storage,
                base=profile,
                shared_tenant=settings.shared_profiles_tenant,
                keep_days=settings.profile_keep_days,
                keep_count=settings.profile_keep_count,
                fixed_tokens=fixed_tokens,
                max_deadline_seconds=settings.max_deadline_seconds,
                spawn=background.spawn,
            )
        )
        ladder = Ladder(
            selector_stage=stages.selector,
            backup=await selector_client(settings, stack, "-backup"),
            cache=selections,
            sources=sources,
            spawn=background.spawn,
        )
        builder = ContextBuilder(ladder, stages.compressor, stages.composer, time.monotonic, quality=settings.quality)
        contexts = Contexts(
            builder=builder,
            gate=BuildGate(settings.max_builds),
            cache=cache,
            versions=CorpusVersions(stages.selector, cache),
            flights=await stack.enter_async_context(Flights(cache, signals, unique_word)),
            profiles=profiles.profiles,
            guard=guard,
            deadlines=deadlines,
            spawn=background.spawn,
            clock=time.monotonic,
            semantic=settings.cache_semantic,
        )
        announcer = await stack.enter_async_context(Announcer(cache))
        executor = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="chunking"))
        yield Core(
            keys=keys,
            sources=sources,
            profile=profile,
            profiles=profiles,
            guard=guard,
            stages=stages,
            cache=cache,
            announcer=announcer,
            queue=queue,
            signals=signals,
            ledger=ledger,
            recording=Recording(contexts, ledger, time.monotonic, new_record_id),
            ingester=BatchIngester(ingestion_stages, announcer, executor, sources.holding, detectors),
            deadlines=deadlines,
        )


def read_key_ring(settings: GatewaySettings) -> KeyRing:
    """The API keys. Raises StartupError."""
    try:
        if settings.keys_file is not None:
            return read_keys(settings.keys_file)
        assert settings.keys is not None, "the settings demand one of the two"
        return parse_keys(settings.keys.get_secret_value(), origin="SCIC_GATEWAY_KEYS")
    except KeyFileError as error:
        raise StartupError(str(error)) from error


def _known_model(model: str) -> str:
    try:
        encoding_for(model)
    except UnknownModelError as error:
        raise StartupError(f"SCIC_GATEWAY_DEFAULT_MODEL: {error}") from error
    return model


def _storage(settings: GatewaySettings) -> ObjectStore | None:
    if settings.storage_url is None:
        return None
    try:
        return open_storage(settings.storage_url.get_secret_value())
    except StorageUrlError as error:
        raise StartupError(f"SCIC_GATEWAY_STORAGE_URL {error}") from None


async def _ledger(settings: GatewaySettings, storage: ObjectStore | None, stack: AsyncExitStack) -> Ledger:
    if storage is None or not settings.ledger:
        return NoLedger()
    redis = redis_client(settings, stack)
    opened = open_ledger(storage, redis, days=settings.ledger_days, max_records=settings.ledger_max_records)
    return await stack.enter_async_context(opened)


async def _cache(settings: GatewaySettings, stack: AsyncExitStack) -> ContextCache:
    redis = await guarded_redis(settings, stack, "redis")
    if redis is None:
        return NoCache()
    return RedisContextCache(
        *redis,
        ttl_seconds=settings.cache_ttl_seconds,
        new_documents_seconds=settings.cache_new_documents_seconds,
        max_bytes=settings.cache_max_bytes,
    )


async def _selections(settings: GatewaySettings, stack: AsyncExitStack) -> SelectionCache:
    redis = await guarded_redis(settings, stack, "redis-selections")
    if redis is None:
        return NoSelectionCache()
    return RedisSelectionCache(
        *redis,
        ttl_seconds=settings.selection_ttl_seconds,
        max_bytes=settings.cache_max_bytes,
    )


async def _queue(settings: GatewaySettings, stack: AsyncExitStack) -> JobQueue:
    redis = await guarded_redis(settings, stack, "redis-jobs")
    if redis is None:
        return NoQueue()
    return RedisJobQueue(
        *redis,
        lease_seconds=settings.job_lease_seconds,
        max_waiting=settings.jobs_max_waiting,
        max_bytes=settings.jobs_max_bytes,
    )


async def _signals(settings: GatewaySettings, stack: AsyncExitStack) -> Signals:
    redis = listening_client(settings, stack)
    return LocalSignals() if redis is None else await stack.enter_async_context(redis_signals(redis))
