"""Commands to Redis: behind a breaker, with one error for all that can go wrong."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisClusterException, RedisError

from services.chassis.breaker import Breaker, BreakerOpenError
from services.chassis.logs import get_logger
from services.gateway.ports import CacheUnavailableError

_Result = TypeVar("_Result")

_log = get_logger(__name__)


async def call(breaker: Breaker, command: Callable[[], Awaitable[_Result]]) -> _Result:
    """What a command answers. Raises CacheUnavailableError."""
    try:
        with breaker.calling():
            return await command()
    except (RedisError, RedisClusterException, OSError, BreakerOpenError) as error:
        if not isinstance(error, BreakerOpenError):
            # What is wrong, a password say, stands nowhere else; the breaker bounds how often it is said.
            _log.warning("redis_failed", error=type(error).__name__)
        raise CacheUnavailableError(f"redis: {type(error).__name__}") from error


def jittered(milliseconds: int) -> int:
    """A life a tenth longer or shorter, so that entries do not all die at once."""
    return int(milliseconds * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, not a secret
