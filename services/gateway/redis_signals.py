"""Word among gateways over one channel of Redis, and one connection a gateway that listens to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis.logs import get_logger
from services.gateway.signals import LocalSignals

CHANNEL = "scic:signals"
"""Scripts that change something say `PUBLISH scic:signals TOPIC`. It is no key, so it serves on a cluster, too."""

_PAUSE_SECONDS = 0.5
_SILENCE_SECONDS = 15.0
"""After so long without a word the connection is asked whether it still stands."""

_log = get_logger(__name__)


@asynccontextmanager
async def redis_signals(redis: Redis) -> AsyncIterator[LocalSignals]:
    """Signals for as long as the context lasts; while Redis is away there are none.

    Args:
        redis: a client of its own whose commands have no time limit; of a cluster any node will do.
    """
    signals = LocalSignals()
    task = asyncio.create_task(_listen(redis, signals))
    try:
        yield signals
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _listen(redis: Redis, signals: LocalSignals) -> None:
    said = False
    while True:
        try:
            async with redis.pubsub() as channel:
                await channel.subscribe(CHANNEL)
                # What was said while nobody listened is lost.
                signals.speak_of_all()
                said = False
                while True:
                    message = await channel.get_message(ignore_subscribe_messages=True, timeout=_SILENCE_SECONDS)
                    if message is None:
                        await channel.ping()
                    elif message["type"] == "message":
                        signals.speak(message["data"].decode())
        except (RedisError, OSError) as error:
            if not said:
                _log.warning("signals_lost", error=type(error).__name__)
            said = True
        await asyncio.sleep(_PAUSE_SECONDS)
