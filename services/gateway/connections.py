"""Ways out of the gateway: clients of the stages and of Redis, by the settings."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from services.chassis.app import StartupError
from services.chassis.breaker import Breaker
from services.chassis.channel import stage_channel
from services.gateway.redis.calls import redis_breaker
from services.gateway.settings import GatewaySettings
from services.gateway.stages.over_grpc import ComposerClient, CompressorClient, SelectorClient
from services.gateway.stages.ports import Stages

_Client = TypeVar("_Client", bound=Redis | RedisCluster)

_CONNECT_SECONDS = 0.25

RETRY = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
"""Once more on a new connection where the old one was lost, as after a restart of Redis.

Never after a time-out: the command may have been done, and would be done twice.
"""


async def selector_client(settings: GatewaySettings, stack: AsyncExitStack, purpose: str) -> SelectorClient:
    """A client of the selector with a breaker of its own."""
    channel = await stack.enter_async_context(stage_channel(settings.selector_address))
    return SelectorClient(channel, Breaker(f"selector{purpose}"))


async def compressor_client(settings: GatewaySettings, stack: AsyncExitStack, purpose: str) -> CompressorClient:
    """A client of the compressor with a breaker of its own."""
    channel = await stack.enter_async_context(stage_channel(settings.compressor_address))
    return CompressorClient(channel, Breaker(f"compressor{purpose}"))


async def stage_clients(settings: GatewaySettings, stack: AsyncExitStack, purpose: str) -> Stages:
    """Clients of all stages, each with a breaker of its own."""
    channel = await stack.enter_async_context(stage_channel(settings.composer_address))
    return Stages(
        selector=await selector_client(settings, stack, purpose),
        compressor=await compressor_client(settings, stack, purpose),
        composer=ComposerClient(channel, Breaker(f"composer{purpose}")),
    )


def redis_client(settings: GatewaySettings, stack: AsyncExitStack) -> Redis | RedisCluster | None:
    """A client of the Redis that the settings name, closed with the stack; None where they name none.

    Raises StartupError. Its commands have no time limit of their own, so each is made by `redis.calls.call`: with
    `socket_timeout` redis-py stands `asyncio.wait_for` around every write, which on Python 3.11 swallows a cancellation
    that comes as the write ends.
    """
    kind = RedisCluster if settings.redis_cluster else Redis
    connect = partial(kind.from_url, socket_timeout=None, socket_connect_timeout=_CONNECT_SECONDS, retry=RETRY)
    return _opened(connect, settings, stack)


async def guarded_redis(
    settings: GatewaySettings, stack: AsyncExitStack, name: str
) -> tuple[Redis | RedisCluster, Breaker] | None:
    """A `redis_client` and the breaker of that name that its commands go through."""
    redis = redis_client(settings, stack)
    return None if redis is None else (redis, await stack.enter_async_context(redis_breaker(name, redis)))


def listening_client(settings: GatewaySettings, stack: AsyncExitStack) -> Redis | None:
    """A client for `redis.signals`: of any node of a cluster, its commands without a time limit."""
    connect = partial(Redis.from_url, socket_timeout=None, socket_connect_timeout=_CONNECT_SECONDS)
    return _opened(connect, settings, stack)


def _opened(connect: Callable[[str], _Client], settings: GatewaySettings, stack: AsyncExitStack) -> _Client | None:
    if settings.redis_url is None:
        return None
    try:
        redis = connect(settings.redis_url.get_secret_value())
    except ValueError:
        # Its text may quote the password.
        raise StartupError("SCIC_GATEWAY_REDIS_URL is not a redis://, rediss:// or unix:// URL") from None
    stack.push_async_callback(redis.aclose)
    return redis
