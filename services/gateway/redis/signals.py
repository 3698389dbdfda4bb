"""Word among gateways over one channel of Redis, and one connection a gateway that listens to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from services.chassis.logs import get_logger
from services.gateway.signals import LocalSignals

CHANNEL = "scic:signals"
"""Scripts that change something say `PUBLISH scic:signals TOPIC`. It is no key, so it serves on a cluster, too."""

_PAUSE_SECONDS = 0.5
_SILENCE_SECONDS = 15.0
"""After so long without a word the connection is asked whether it still stands, and after as long again given up."""

_log = get_logger(__name__)


@asynccontextmanager
async def redis_signals(redis: Redis, *, silence_seconds: float = _SILENCE_SECONDS) -> AsyncIterator[LocalSignals]:
    """Signals for as long as the context lasts; while Redis is away there are none.

    Args:
        redis: a client of its own whose commands have no time limit; of a cluster any node will do.
        silence_seconds: after which a connection is asked whether it still stands.
    """
    signals = LocalSignals()
    task = asyncio.create_task(_listen(redis, signals, silence_seconds))
    try:
        yield signals
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _listen(redis: Redis, signals: LocalSignals, silence_seconds: float) -> None:
    said = False
    while True:
        try:
            async with redis.pubsub() as channel:
                async with asyncio.timeout(silence_seconds):
                    await channel.subscribe(CHANNEL)
                while True:
                    message = await _message(channel, silence_seconds)
                    _tell(signals, message)
                    said = said and message["type"] == "subscribe"
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway is to hear again
            if not said:
                _log.warning("signals_lost", error=type(error).__name__)
            said = True
        await asyncio.sleep(_PAUSE_SECONDS)


async def _message(channel: PubSub, silence_seconds: float) -> dict[str, Any]:
    """The next one. Raises where the connection is silent, and stays so after it was asked."""
    # The client may connect anew by itself, and that has no time limit.
    async with asyncio.timeout(3 * silence_seconds):
        for asks in (True, False):
            message: dict[str, Any] | None = await channel.get_message(timeout=silence_seconds)
            if message is not None:
                return message
            if asks:
                await channel.ping()
    raise RedisConnectionError("the connection is silent")


def _tell(signals: LocalSignals, message: dict[str, Any]) -> None:
    match message["type"]:
        case "subscribe":
            # What was said while nobody listened is lost.
            signals.speak_of_all()
        case "message":
            # Anybody may write to the channel; what is no text is no topic.
            signals.speak(message["data"].decode(errors="replace"))
