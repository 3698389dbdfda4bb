"""Commands to Redis: bounded in time, behind a breaker, with one error for all that can go wrong."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.chassis.breaker import Breaker, BreakerOpenError, Verdict
from services.chassis.logs import get_logger
from services.chassis.loop_lag import LoopLag
from services.gateway.cache.ports import CacheUnavailableError

_Result = TypeVar("_Result")


class GatewayBusyError(CacheUnavailableError):
    """A command's turn did not come, since the gateway has too many of them: Redis is not away."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a command may take."""

    seconds: float
    """Then the request goes on without it."""

    slow_seconds: float
    """An answer that takes longer counts as a failure: a Redis that is slow is worse than none."""


ON_THE_PATH = Patience(seconds=0.3, slow_seconds=0.05)
"""For commands that a request waits for. A look-up that is given up costs a computation, which is far dearer."""

BEHIND = Patience(seconds=2.0, slow_seconds=1.0)
"""For commands that no request waits for, or that do much work at a time."""

_AT_A_TIME = 32
"""Commands of one client under way: more of them make none faster, and a pool has no more than 100 connections."""

QUEUE_SECONDS = 0.5
"""What a command waits at most until it is among those: in a burst that is the gateway's slowness, and not Redis'."""

_LEAST_SECONDS = 0.5
"""So long nothing must have gone well before Redis is left alone: on a busy machine it is late now and then."""

_TURNS = 4
"""Turns of the event loop that a command takes: so many times its lateness is no fault of Redis."""

_lags: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopLag] = WeakKeyDictionary()

_queues: WeakKeyDictionary[Breaker, asyncio.Semaphore] = WeakKeyDictionary()
"""Each client of Redis has a breaker of its own, so its commands queue by that."""

_log = get_logger(__name__)


async def call(
    breaker: Breaker, command: Callable[[], Awaitable[_Result]], patience: Patience | None = None
) -> _Result:
    """What a command answers. Raises CacheUnavailableError, at the latest when its time is over; GatewayBusyError where
    too many others were before it.

    A command that is late or slow counts against Redis, unless the event loop was.

    Args:
        breaker: spares a Redis that fails or is slow.
        command: begins the command; it may be cancelled.
        patience: None: that of commands on a request's path.
    """
    queue = _queues.setdefault(breaker, asyncio.Semaphore(_AT_A_TIME))
    try:
        await _turn(queue)
        try:
            with breaker.calling() as verdict:
                return await _timed(command, verdict, patience or ON_THE_PATH)
        finally:
            queue.release()
    except (RedisError, RedisClusterException, OSError, BreakerOpenError) as error:
        if not isinstance(error, BreakerOpenError):
            # What is wrong, a password say, stands nowhere else; the breaker bounds how often it is said.
            _log.warning("redis_failed", error=type(error).__name__)
        raise CacheUnavailableError(f"redis: {type(error).__name__}") from error


@asynccontextmanager
async def redis_breaker(name: str, redis: Redis | RedisCluster, *, pause: float = 2.0) -> AsyncIterator[Breaker]:
    """A breaker for the commands of a client; while it is open a PING every `pause` seconds finds out, and no request.

    Args:
        name: as metrics name it.
        redis: the client; of a cluster one node is asked.
        pause: seconds between two trials.
    """

    async def probe(verdict: Verdict) -> None:
        target = {"target_nodes": RedisCluster.RANDOM} if isinstance(redis, RedisCluster) else {}
        await _timed(lambda: redis.execute_command("PING", **target), verdict, ON_THE_PATH)

    async with Breaker(name, reset_timeout=pause, least_seconds=_LEAST_SECONDS).probed(probe) as breaker:
        yield breaker


async def _turn(queue: asyncio.Semaphore) -> None:
    """Returns when it is a command's turn. Raises GatewayBusyError where too many are before it."""
    if not queue.locked():
        await queue.acquire()
        return
    try:
        async with asyncio.timeout(QUEUE_SECONDS):
            await queue.acquire()
    except TimeoutError as error:
        raise GatewayBusyError("redis: too many commands wait") from error


async def _timed(command: Callable[[], Awaitable[_Result]], verdict: Verdict, patience: Patience) -> _Result:
    lag = _lags.setdefault(asyncio.get_running_loop(), LoopLag())
    start = lag.begin()
    try:
        async with asyncio.timeout(patience.seconds):
            answer = await command()
    except (TimeoutError, RedisTimeoutError):
        verdict.counts = _took(start, lag) > patience.slow_seconds
        raise
    else:
        if time.monotonic() - start > ON_THE_PATH.slow_seconds:
            took = _took(start, lag)
            verdict.against = took > patience.slow_seconds
            # What had more time than requests have does not tell whether those may be answered in theirs.
            verdict.counts = verdict.against or took <= ON_THE_PATH.slow_seconds
        return answer
    finally:
        lag.end()


def _took(start: float, lag: LoopLag) -> float:
    """The seconds that a command took by itself, without those by which the event loop was late."""
    late = lag.since(start)
    # The first holds for one long turn of the loop, the second for many: a new connection takes more than a few.
    return time.monotonic() - start - max(_TURNS * late.worst, late.total)


def jittered(milliseconds: int) -> int:
    """A life a tenth longer or shorter, so that entries do not all die at once."""
    return int(milliseconds * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, not a secret
