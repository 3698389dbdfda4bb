"""Composition root of the selector."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from random import Random

import grpc.aio
from openai import AsyncOpenAI
from redis.asyncio import Redis, RedisCluster

from scic.selector.v1 import selector_service_pb2, selector_service_pb2_grpc
from services.chassis.app import App, Build, StartupError
from services.chassis.health import Health
from services.selector.embedded.store import EmbeddedStore
from services.selector.embedding.embedders import Embedders
from services.selector.embedding.local_embedder import LocalEmbedder
from services.selector.embedding.remote_embedder import RemoteEmbedder
from services.selector.finder import Finder
from services.selector.indexer import Indexer
from services.selector.maintenance import Maintenance
from services.selector.ports import Store
from services.selector.servicer import SelectorServicer
from services.selector.settings import RemoteModel, SelectorSettings
from services.selector.weaviate.connection import Address
from services.selector.weaviate.store import WeaviateStore
from services.text.encoder import Encoder
from services.text.model import model_file

_CONNECT_SECONDS = 2.0
"""Seconds that a command of the writers' lock may take."""
_EMBEDDINGS_TIMEOUT = 20.0
"""Seconds that one call of a remote model may take, retries not counted."""


def build(settings: SelectorSettings) -> Build:
    """The selector, wired by its settings."""

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        store_health, encoder_health = health.component("store"), health.component("encoder")
        async with AsyncExitStack() as stack:
            store = await _store(settings, stack)
            store_health.up()
            embedders = await _embedders(settings, stack)
            encoder_health.up()
            maintenance = Maintenance(store, embedders, _now, Random(), interval_seconds=settings.maintenance_seconds)  # noqa: S311 - no secret
            stack.push_async_callback(_cancelled, asyncio.create_task(maintenance.run()))

            def register(server: grpc.aio.Server) -> None:
                finder, indexer = Finder(store, embedders, _now), Indexer(store, embedders)
                servicer = SelectorServicer(store, finder, indexer, embedders.local.model)
                selector_service_pb2_grpc.add_SelectorServiceServicer_to_server(servicer, server)

            name = selector_service_pb2.DESCRIPTOR.services_by_name["SelectorService"].full_name
            yield App(name="selector", register=register, service_names=(name,))

    return lifetime


async def _store(settings: SelectorSettings, stack: AsyncExitStack) -> Store:
    store = _weaviate(settings, stack) if settings.store == "weaviate" else await _embedded(settings)
    stack.push_async_callback(store.close)
    return store


async def _embedded(settings: SelectorSettings) -> EmbeddedStore:
    assert settings.data_dir is not None, "the settings demand it"
    # Now, not at the first document: a folder that cannot be had is a reason not to start.
    await asyncio.to_thread(settings.data_dir.mkdir, parents=True, exist_ok=True)
    return EmbeddedStore(settings.data_dir)


def _weaviate(settings: SelectorSettings, stack: AsyncExitStack) -> WeaviateStore:
    assert settings.weaviate_url is not None, "the settings demand it"
    assert settings.redis_url is not None, "the settings demand it"
    kind = RedisCluster if settings.redis_cluster else Redis
    try:
        # Who calls bounds each command: with `socket_timeout` redis-py swallows cancellations on Python 3.11.
        redis = kind.from_url(
            settings.redis_url.get_secret_value(), socket_timeout=None, socket_connect_timeout=_CONNECT_SECONDS
        )
    except ValueError:
        # Its text may quote the password.
        raise StartupError("SCIC_SELECTOR_REDIS_URL is not a redis://, rediss:// or unix:// URL") from None
    stack.push_async_callback(redis.aclose)
    key = settings.weaviate_api_key
    address = Address(settings.weaviate_url, settings.weaviate_grpc_port, key.get_secret_value() if key else None)
    return WeaviateStore(address, redis)


async def _embedders(settings: SelectorSettings, stack: AsyncExitStack) -> Embedders:
    local = LocalEmbedder(await asyncio.to_thread(lambda: Encoder.load(model_file(settings.model_dir))))
    stack.callback(local.close)
    await local.embed_question("warm up")
    remote = [_remote_embedder(model, stack) for model in settings.remote_models]
    return Embedders(local, *remote) if remote else Embedders(local, local)


def _remote_embedder(model: RemoteModel, stack: AsyncExitStack) -> RemoteEmbedder:
    # Without a key the client would take one from the environment of whoever started us.
    key = model.api_key.get_secret_value() if model.api_key else "none"
    client = AsyncOpenAI(base_url=model.url, api_key=key, timeout=_EMBEDDINGS_TIMEOUT)
    stack.push_async_callback(client.close)
    return RemoteEmbedder(client, model.model, model.dimension)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _now() -> datetime:
    return datetime.now(UTC)
