"""Composition root of the gateway."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio
from redis.asyncio import Redis, RedisCluster

from scic.gateway.v1 import context_service_pb2, context_service_pb2_grpc, corpus_service_pb2, corpus_service_pb2_grpc
from services.chassis.app import App, Build, StartupError
from services.chassis.breaker import Breaker
from services.chassis.channel import stage_channel
from services.chassis.health import Health
from services.gateway.authentication import Authentication
from services.gateway.background import Background
from services.gateway.builder import ContextBuilder
from services.gateway.context_servicer import ContextServicer
from services.gateway.contexts import Contexts
from services.gateway.corpus import Corpus
from services.gateway.corpus_servicer import CorpusServicer
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.no_cache import NoCache
from services.gateway.ports import ContextCache, Stages
from services.gateway.principal import KeyFileError, KeyRing, parse_keys, read_keys
from services.gateway.profile import default_profile
from services.gateway.redis_cache import RedisContextCache
from services.gateway.settings import GatewaySettings
from services.gateway.stages import ComposerClient, CompressorClient, SelectorClient
from services.text.tokens import ENCODING_NAMES, UnknownModelError, encoding_for

_REDIS_TIMEOUT = 0.25
"""Seconds that a command may take before the request goes on without the cache."""


def build(settings: GatewaySettings) -> Build:
    """The gateway, wired by its settings."""

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        async with AsyncExitStack() as stack:
            keys = _keys(settings)
            # Half a second each: before the first request, not in it.
            await asyncio.gather(*(asyncio.to_thread(encoding_for, name) for name in ENCODING_NAMES))
            profile = default_profile(_known_model(settings.default_model))
            stages = await _stages(settings, stack, "")
            # Breakers of its own: a long ingestion that overwhelms the encoders must not cut questions off.
            ingestion_stages = await _stages(settings, stack, "-ingestion")
            cache = await _cache(settings, stack)
            background = await stack.enter_async_context(Background())
            executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="chunking"))
            contexts = Contexts(
                builder=ContextBuilder(stages, time.monotonic),
                cache=cache,
                selector=stages.selector,
                profiles={profile.name: profile},
                default_profile=profile.name,
                spawn=background.spawn,
            )
            corpus = CorpusServicer(Corpus(stages.selector, cache), BatchIngester(ingestion_stages, cache, executor))

            def register(server: grpc.aio.Server) -> None:
                context_service_pb2_grpc.add_ContextServiceServicer_to_server(ContextServicer(contexts), server)
                corpus_service_pb2_grpc.add_CorpusServiceServicer_to_server(corpus, server)

            # The stages and Redis are no components of health: without them the gateway answers, only less well, and
            # a balancer that took it away for their sake would turn less quality into no answer.
            health.component("keys").up()
            yield App(
                name="gateway",
                register=register,
                service_names=tuple(
                    file.DESCRIPTOR.services_by_name[name].full_name
                    for file, name in ((context_service_pb2, "ContextService"), (corpus_service_pb2, "CorpusService"))
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


async def _stages(settings: GatewaySettings, stack: AsyncExitStack, purpose: str) -> Stages:
    async def channel(address: str) -> grpc.aio.Channel:
        return await stack.enter_async_context(stage_channel(address))

    return Stages(
        selector=SelectorClient(await channel(settings.selector_address), Breaker(f"selector{purpose}")),
        compressor=CompressorClient(await channel(settings.compressor_address), Breaker(f"compressor{purpose}")),
        composer=ComposerClient(await channel(settings.composer_address), Breaker(f"composer{purpose}")),
    )


async def _cache(settings: GatewaySettings, stack: AsyncExitStack) -> ContextCache:
    if settings.redis_url is None:
        return NoCache()
    url = settings.redis_url.get_secret_value()
    kind = RedisCluster if settings.redis_cluster else Redis
    try:
        redis = kind.from_url(url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT)
    except ValueError:
        # Its text may quote the password.
        raise StartupError("SCIC_GATEWAY_REDIS_URL is not a redis://, rediss:// or unix:// URL") from None
    stack.push_async_callback(redis.aclose)
    return RedisContextCache(redis, Breaker("redis"), ttl_seconds=settings.cache_ttl_seconds)
