"""Commands to a Redis that is slow, hangs, is killed and comes back: requests never wait long, and never in vain."""

import asyncio
import json
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from services.chassis.breaker import Breaker
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.connections import redis_client
from services.gateway.redis import calls as redis_calls
from services.gateway.redis.calls import BEHIND, Patience, call, redis_breaker
from services.gateway.settings import GatewaySettings
from tests.delaying_proxy import DelayingProxy, delaying_proxy
from tests.valkey import ALONE, CLUSTER, Valkey
from tests.waiting import LONG, eventually

Signal = Callable[[Valkey], None]

PAUSE = 0.2
PATIENCE = Patience(seconds=0.5, slow_seconds=0.2)
"""What a request would not wait for, a test on a busy machine does."""


@dataclass
class World:
    """A client behind a proxy, and what became of its commands."""

    server: Valkey
    proxy: DelayingProxy
    redis: Redis
    breaker: Breaker
    waited: list[float] = field(default_factory=list)

    async def get(self) -> bool:
        """One command of a request. Whether it was answered."""
        start = time.monotonic()
        try:
            await call(self.breaker, lambda: self.redis.get("key"))
        except CacheUnavailableError:
            return False
        finally:
            self.waited.append(time.monotonic() - start)
        return True

    async def is_skipped(self) -> bool:
        """Whether requests go on without Redis."""
        await self.get()
        return self.breaker.state != "closed"

    async def is_back(self) -> bool:
        """Whether requests use Redis again."""
        return await self.get()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path) as valkey:
        yield valkey


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(redis_calls, "ON_THE_PATH", PATIENCE)
    async with delaying_proxy(server.port) as proxy:
        url = proxy.url(server.url)
        async with (
            Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 1)) as redis,
            redis_breaker("calls", redis, pause=PAUSE) as breaker,
        ):
            assert not await redis.get("key")
            yield World(server, proxy, redis, breaker)


@pytest.mark.parametrize("delay", [pytest.param(0.15, id="slow"), pytest.param(2.0, id="late")])
async def test_a_slow_redis_is_left_out_after_a_few_requests_and_used_again_when_it_is_fast(
    world: World, delay: float
) -> None:
    world.proxy.delay = delay
    asked = 0
    while not await world.is_skipped():
        asked += 1
        assert asked < 20, "a few requests are enough"
    world.waited.clear()
    connections = world.proxy.connections
    for _ in range(200):
        assert not await world.get()
    assert sum(world.waited) / len(world.waited) < 0.02, "no request pays for a trial"
    assert world.proxy.connections <= connections + 1
    world.proxy.delay = 0.0
    await eventually("Redis is used again", world.is_back)


async def test_commands_that_have_more_time_do_not_vouch_for_a_redis_that_is_slow_for_requests(world: World) -> None:
    world.proxy.delay = 0.15
    asked = 0
    while not await world.is_skipped():
        asked += 1
        assert asked < 20, "a few requests are enough"
        with suppress(CacheUnavailableError):
            await call(world.breaker, lambda: world.redis.get("key"), BEHIND)


@pytest.mark.parametrize("cluster", [ALONE, CLUSTER])
@pytest.mark.parametrize(
    ("gone", "back"),
    [
        pytest.param(Valkey.kill, Valkey.start, id="killed"),
        pytest.param(
            lambda server: server.signal(signal.SIGSTOP), lambda server: server.signal(signal.SIGCONT), id="hangs"
        ),
    ],
)
async def test_a_redis_that_is_gone_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: bool, gone: Signal, back: Signal
) -> None:
    monkeypatch.setattr(redis_calls, "ON_THE_PATH", PATIENCE)
    server = Valkey(tmp_path, cluster=cluster)
    server.start()
    kind = RedisCluster if cluster else Redis
    try:
        async with (
            kind.from_url(server.url, socket_timeout=1, socket_connect_timeout=1) as redis,
            redis_breaker("gone", redis, pause=PAUSE) as breaker,
        ):
            await redis.set("key", "value")
            gone(server)
            asked = 0
            while breaker.state == "closed":
                asked += 1
                assert asked < 100, "a second of requests is enough"
                await asyncio.sleep(0.02)
                with pytest.raises(CacheUnavailableError):
                    await call(breaker, lambda: redis.get("key"))
            back(server)

            async def is_back() -> bool:
                with suppress(CacheUnavailableError):
                    await call(breaker, lambda: redis.get("key"))
                    return True
                return False

            await eventually("Redis is used again", is_back)
    finally:
        server.signal(signal.SIGCONT)
        server.kill()


async def test_a_late_event_loop_is_not_held_against_redis(world: World) -> None:
    async def block() -> None:
        while True:
            # Work on the loop, as much as there can be.
            time.sleep(0.06)  # noqa: ASYNC251 - that is what is tested
            await asyncio.sleep(0)

    blocking = asyncio.create_task(block())
    try:
        for _ in range(10):
            await asyncio.gather(*(world.get() for _ in range(8)))
    finally:
        blocking.cancel()
    assert max(world.waited) > PATIENCE.slow_seconds, "the loop was late enough to be taken for a slow Redis"
    assert world.breaker.state == "closed"


async def test_a_slow_answer_is_given_back_all_the_same(world: World) -> None:
    world.proxy.delay = 0.15
    await world.redis.set("key", "value")
    assert await call(world.breaker, lambda: world.redis.get("key")) == b"value"


async def test_cancelled_commands_never_cross_replies(world: World) -> None:
    """A client once left the reply to a cancelled command on the connection for the next one."""
    await world.redis.mset({f"key:{n}": f"value:{n}" for n in range(40)})
    world.proxy.delay = 0.004
    dice = random.Random(7)
    breaker = Breaker("crossing")
    patience = Patience(seconds=30.0, slow_seconds=30.0)
    wrong: list[object] = []
    cancelled = answered = 0

    async def one(number: int, limit: float | None) -> None:
        nonlocal cancelled, answered
        try:
            async with asyncio.timeout(limit):
                reply = await call(breaker, lambda: world.redis.get(f"key:{number}"), patience)
        except (TimeoutError, CacheUnavailableError):
            cancelled += 1
            return
        answered += 1
        if reply != f"value:{number}".encode():
            wrong.append(reply)

    for _ in range(30):
        limits = [dice.choice([None, dice.uniform(0, 0.02)]) for _ in range(20)]
        await asyncio.gather(*(one(dice.randrange(40), limit) for limit in limits))
    assert not wrong
    assert min(cancelled, answered) > 100


async def test_a_command_that_is_cancelled_stays_cancelled(server: Valkey) -> None:
    """A client that bounds its writes by itself lost most of these cancellations: the task went on for ever."""
    settings = GatewaySettings(
        port=0, keys=json.dumps({"keys": []}), redis_url=server.url, redis_cluster=server.cluster
    )
    async with AsyncExitStack() as stack:
        redis = redis_client(settings, stack)
        assert redis is not None
        breaker = Breaker("cancelled")

        async def go_on() -> None:
            while True:
                await call(breaker, lambda: redis.set("key", "value"))
                await asyncio.sleep(0)

        rng = Random(7)
        for _ in range(200):
            task = asyncio.create_task(go_on())
            await asyncio.sleep(rng.uniform(0.0003, 0.0015))
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=LONG)
            assert done, "it went on"
