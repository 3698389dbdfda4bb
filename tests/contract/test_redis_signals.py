"""Word among gateways over a real Valkey: nothing that is said or happens to the connection leaves one deaf."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from structlog.testing import capture_logs

from services.gateway.redis.signals import CHANNEL, redis_signals
from services.gateway.signals import LocalSignals
from tests.delaying_proxy import delaying_proxy
from tests.valkey import Valkey
from tests.waiting import LONG, eventually

NO_TEXT = b"\xff\xfe"


async def test_what_is_no_text_costs_no_other_word(server: Valkey) -> None:
    async with (
        delaying_proxy(server.port) as proxy,
        Redis.from_url(server.url) as redis,
        Redis.from_url(proxy.url(server.url)) as listening,
        redis_signals(listening) as signals,
    ):
        await hears(redis, signals)
        with capture_logs() as lines, signals.expect("job") as word:
            await redis.publish(CHANNEL, NO_TEXT)
            await redis.publish(CHANNEL, "job")
            async with asyncio.timeout(LONG):
                await word.wait()
        assert (proxy.connections, lines) == (1, [])


async def test_no_error_ends_the_listening_and_a_streak_of_them_is_said_once(server: Valkey) -> None:
    """A client that makes text of what it reads cannot read what is none."""
    async with Redis.from_url(server.url) as redis, Redis.from_url(server.url, decode_responses=True) as listening:
        with capture_logs() as lines:
            async with redis_signals(listening) as signals:
                for _ in range(3):
                    with signals.expect("anything") as word:
                        async with asyncio.timeout(LONG):
                            await word.wait()  # said to all when the connection stands
                    await redis.publish(CHANNEL, NO_TEXT)
        assert [line["error"] for line in lines if line["event"] == "signals_lost"] == ["UnicodeDecodeError"]


async def test_a_connection_that_answers_no_question_is_given_up(server: Valkey) -> None:
    async with (
        delaying_proxy(server.port) as proxy,
        Redis.from_url(server.url) as redis,
        Redis.from_url(proxy.url(server.url), socket_timeout=None) as listening,
        redis_signals(listening, silence_seconds=0.5) as signals,
    ):
        await hears(redis, signals)
        proxy.delay, before = 3600.0, proxy.connections
        # The next one cannot even begin, so there is one after it.
        await eventually("it connects anew", lambda: proxy.connections > before + 1)
        proxy.delay = 0.0
        await hears(redis, signals)


async def test_a_connection_on_which_nothing_is_said_stands_as_long_as_it_answers(server: Valkey) -> None:
    async with (
        delaying_proxy(server.port) as proxy,
        Redis.from_url(server.url) as redis,
        Redis.from_url(proxy.url(server.url)) as listening,
        redis_signals(listening, silence_seconds=1.0) as signals,
    ):
        await hears(redis, signals)
        before = await pings(redis)

        async def asked() -> bool:
            return await pings(redis) > before + 2

        await eventually("it is asked thrice", asked)
        await hears(redis, signals)
        assert proxy.connections == 1


async def test_who_waits_is_woken_when_the_connection_was_lost(server: Valkey) -> None:
    """What was said meanwhile is lost."""
    async with (
        Redis.from_url(server.url) as redis,
        Redis.from_url(server.url) as listening,
        redis_signals(listening) as signals,
    ):
        await hears(redis, signals)
        with signals.expect("anything") as word:
            await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            async with asyncio.timeout(LONG):
                await word.wait()


async def pings(redis: Any) -> int:
    """How many the server has had."""
    statistics = await redis.info("commandstats")
    return int(statistics.get("cmdstat_ping", {"calls": 0})["calls"])


async def hears(redis: Any, signals: LocalSignals) -> None:
    """Something is said until it is heard."""
    with signals.expect("something") as word:

        async def said() -> bool:
            await redis.publish(CHANNEL, "something")
            return word.is_set()

        await eventually("it hears", said)
