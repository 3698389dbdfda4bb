"""Composition root of the gateway."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio
from obstore.store import ObjectStore
from redis.asyncio import Redis, RedisCluster

from scic.gateway.v1 import (
    context_service_pb2,
    context_service_pb2_grpc,
    corpus_service_pb2,
    corpus_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from services.chassis.app import App, Build, StartupError
from services.chassis.breaker import Breaker
from services.chassis.channel import stage_channel
from services.chassis.health import Health
from services.gateway.announcer import Announcer
from services.gateway.authentication import Authentication
from services.gateway.background import Background
from services.gateway.builder import ContextBuilder
from services.gateway.context_servicer import ContextServicer
from services.gateway.contexts import Contexts
from services.gateway.corpus import Corpus
from services.gateway.corpus_servicer import CorpusServicer
from services.gateway.erasure import Erasure
from services.gateway.guard.detect import default_detectors
from services.gateway.guard.guard import Guard
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ladder import Ladder
from services.gateway.ledger.no_ledger import NoLedger
from services.gateway.ledger.ports import Ledger
from services.gateway.ledger.record_id import new_record_id
from services.gateway.ledger.servicer import LedgerServicer
from services.gateway.ledger.wiring import open_ledger
from services.gateway.no_cache import NoCache, NoSelectionCache
from services.gateway.page import page
from services.gateway.ports import ContextCache, SelectionCache, Stages
from services.gateway.prices import token_price
from services.gateway.principal import KeyFileError, KeyRing, parse_keys, read_keys
from services.gateway.profile import default_profile
from services.gateway.profiles.wiring import wired_profiles
from services.gateway.recording import Recording
from services.gateway.redis_cache import RedisContextCache
from services.gateway.redis_selections import RedisSelectionCache
from services.gateway.settings import GatewaySettings
from services.gateway.source_declarations import declared_sources
from services.gateway.stages import ComposerClient, CompressorClient, SelectorClient
from services.gateway.storage import StorageUrlError, open_storage
from services.gateway.text_compression import TextCompression
from services.prompt.fixed import fixed_tokens
from services.text.tokens import ENCODING_NAMES, UnknownModelError, encoding_for

_APIS = (context_service_pb2, corpus_service_pb2, profile_service_pb2, ledger_service_pb2)

_REDIS_TIMEOUT = 0.25
"""Seconds that a command may take before the request goes on without the cache."""


def build(settings: GatewaySettings) -> Build:
    """The gateway, wired by its settings."""

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        async with AsyncExitStack() as stack:
            keys = _keys(settings)
            # Half a second each: before the first request, not in it.
            await asyncio.gather(
                asyncio.to_thread(token_price, settings.default_model),
                *(asyncio.to_thread(encoding_for, name) for name in ENCODING_NAMES),
            )
            sources = declared_sources(settings.sources)
            profile = default_profile(_known_model(settings.default_model), sources, settings.pin_patterns)
            stages = await _stages(settings, stack, "")
            # Breakers of its own: a long ingestion that overwhelms the encoders must not cut questions off.
            ingestion_stages = await _stages(settings, stack, "-ingestion")
            cache = await _cache(settings, stack)
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
                    spawn=background.spawn,
                )
            )
            ladder = Ladder(
                selector_stage=stages.selector,
                backup=await _selector(settings, stack, "-backup"),
                cache=await _selections(settings, stack),
                sources=sources,
                spawn=background.spawn,
            )
            executor = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="chunking"))
            contexts = Contexts(
                builder=ContextBuilder(
                    ladder, stages.compressor, stages.composer, time.monotonic, quality=settings.quality
                ),
                cache=cache,
                selector=stages.selector,
                profiles=profiles.profiles,
                guard=guard,
                spawn=background.spawn,
            )
            recording = Recording(contexts, ledger, time.monotonic, new_record_id)
            texts = TextCompression(
                await _compressor(settings, stack, "-texts"),
                profile,
                guard,
                # Threads of its own: a PDF that is being ingested must not hold up a question.
                stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="texts")),
                time.monotonic,
            )
            announcer = await stack.enter_async_context(Announcer(cache))
            corpus = CorpusServicer(
                Corpus(stages.selector, sources.holding),
                Erasure(stages.selector, cache, announcer, ledger, profiles.profiles),
                BatchIngester(ingestion_stages, announcer, executor, sources.holding, detectors),
            )
            if ledger.keeps and settings.page_port is not None:
                await stack.enter_async_context(page(settings.host, settings.page_port, keys, ledger))

            def register(server: grpc.aio.Server) -> None:
                context_service_pb2_grpc.add_ContextServiceServicer_to_server(ContextServicer(recording, texts), server)
                corpus_service_pb2_grpc.add_CorpusServiceServicer_to_server(corpus, server)
                profile_service_pb2_grpc.add_ProfileServiceServicer_to_server(profiles.servicer, server)
                ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(LedgerServicer(ledger, recording), server)

            # The stages and Redis are no components of health: without them the gateway answers, only less well, and
            # a balancer that took it away for their sake would turn less quality into no answer.
            health.component("keys").up()
            yield App(
                name="gateway",
                register=register,
                service_names=tuple(
                    service.full_name for file in _APIS for service in file.DESCRIPTOR.services_by_name.values()
                ),
                interceptors=(Authentication(keys),),
            )

    return lifetime


def _keys(settings: GatewaySettings) -> KeyRing:
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


async def _selector(settings: GatewaySettings, stack: AsyncExitStack, purpose: str) -> SelectorClient:
    channel = await stack.enter_async_context(stage_channel(settings.selector_address))
    return SelectorClient(channel, Breaker(f"selector{purpose}"))


async def _compressor(settings: GatewaySettings, stack: AsyncExitStack, purpose: str) -> CompressorClient:
    channel = await stack.enter_async_context(stage_channel(settings.compressor_address))
    return CompressorClient(channel, Breaker(f"compressor{purpose}"))


async def _stages(settings: GatewaySettings, stack: AsyncExitStack, purpose: str) -> Stages:
    channel = await stack.enter_async_context(stage_channel(settings.composer_address))
    return Stages(
        selector=await _selector(settings, stack, purpose),
        compressor=await _compressor(settings, stack, purpose),
        composer=ComposerClient(channel, Breaker(f"composer{purpose}")),
    )


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
    # Connections of its own: an index that is being rebuilt must not hold the cache up.
    redis = _redis(settings, stack)
    opened = open_ledger(storage, redis, days=settings.ledger_days, max_records=settings.ledger_max_records)
    return await stack.enter_async_context(opened)


async def _cache(settings: GatewaySettings, stack: AsyncExitStack) -> ContextCache:
    redis = _redis(settings, stack)
    if redis is None:
        return NoCache()
    return RedisContextCache(redis, Breaker("redis"), ttl_seconds=settings.cache_ttl_seconds)


async def _selections(settings: GatewaySettings, stack: AsyncExitStack) -> SelectionCache:
    # Connections of its own: what is large and not waited for must not hold up what is.
    redis = _redis(settings, stack)
    if redis is None:
        return NoSelectionCache()
    return RedisSelectionCache(redis, Breaker("redis-selections"), ttl_seconds=settings.selection_ttl_seconds)


def _redis(settings: GatewaySettings, stack: AsyncExitStack) -> Redis | RedisCluster | None:
    if settings.redis_url is None:
        return None
    url = settings.redis_url.get_secret_value()
    kind = RedisCluster if settings.redis_cluster else Redis
    try:
        redis = kind.from_url(url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT)
    except ValueError:
        # Its text may quote the password.
        raise StartupError("SCIC_GATEWAY_REDIS_URL is not a redis://, rediss:// or unix:// URL") from None
    stack.push_async_callback(redis.aclose)
    return redis
