"""Calls of a script that go to Redis together: each gets its own answer, whatever becomes of the others."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis, RedisCluster

from services.chassis.breaker import Breaker
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.redis import batches as redis_batches
from services.gateway.redis.batches import RedisCall, script_call
from services.gateway.redis.calls import GatewayBusyError, Patience
from tests.contract.job_worlds import client
from tests.delaying_proxy import delaying_proxy
from tests.valkey import ALONE, CLUSTER, Valkey
from tests.waiting import eventually

LONG = Patience(seconds=30.0, slow_seconds=30.0)
SCRIPT = """
if ARGV[1] == 'fail' then return redis.error_reply('ERR as asked') end
redis.call('INCR', KEYS[1])
return ARGV[1]
"""
KEYS = ["{tenant}:calls"]


@dataclass
class World:
    """A server, a client of it, and the script."""

    server: Valkey
    redis: Redis | RedisCluster
    breaker: Breaker
    call: RedisCall

    async def answers(self) -> bool:
        try:
            return bool(await self.call(KEYS, ["there"]) == b"there")
        except CacheUnavailableError:
            return False


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path, cluster=getattr(request, "param", False)) as valkey:
        yield valkey


@pytest.fixture
async def world(server: Valkey) -> AsyncIterator[World]:
    async with client(server) as redis:
        breaker = Breaker("batches", fail_max=1_000)
        yield World(server, redis, breaker, script_call(redis, breaker, SCRIPT, LONG))


both = pytest.mark.parametrize("server", [ALONE, CLUSTER], indirect=True)


@both
async def test_each_call_gets_its_own_answer(world: World) -> None:
    numbers = range(300)
    answers = await asyncio.gather(*(world.call(KEYS, [number]) for number in numbers))
    assert answers == [str(number).encode() for number in numbers]
    assert await world.redis.get(KEYS[0]) == b"300", "each was made once"


async def test_calls_that_come_together_share_round_trips(world: World) -> None:
    assert await world.answers()
    assert isinstance(world.redis, Redis)
    before = (await world.redis.info("stats"))["total_reads_processed"]
    await asyncio.gather(*(world.call(KEYS, [number]) for number in range(64)))
    reads = (await world.redis.info("stats"))["total_reads_processed"] - before
    assert reads < 16


@both
async def test_a_call_that_fails_leaves_the_others_alone(world: World) -> None:
    words = ["one", "fail", "two", "fail", "three"]
    answers = await asyncio.gather(*(world.call(KEYS, [word]) for word in words), return_exceptions=True)
    assert [isinstance(answer, CacheUnavailableError) for answer in answers] == [word == "fail" for word in words]
    assert answers[::2] == [b"one", b"two", b"three"]
    with pytest.raises(CacheUnavailableError):
        await world.call(KEYS, ["fail"])


async def test_a_redis_whose_every_answer_is_an_error_is_spared(server: Valkey) -> None:
    async with client(server) as redis:
        breaker = Breaker("errors", fail_max=3)
        call = script_call(redis, breaker, SCRIPT, LONG)
        for _ in range(3):
            await asyncio.gather(*(call(KEYS, ["fail"]) for _ in range(8)), return_exceptions=True)
        assert breaker.state == "open"


@both
async def test_a_server_that_has_forgotten_the_script_is_told_it_anew(world: World) -> None:
    assert await world.answers()
    await world.redis.script_flush()
    numbers = range(20)
    answers = await asyncio.gather(*(world.call(KEYS, [number]) for number in numbers))
    assert answers == [str(number).encode() for number in numbers]
    assert await world.redis.get(KEYS[0]) == b"21", "each was made once"


@both
async def test_all_hear_of_a_redis_that_is_gone_and_it_is_used_when_it_is_back(world: World) -> None:
    assert await world.answers()
    world.server.kill()
    answers = await asyncio.gather(*(world.call(KEYS, [number]) for number in range(20)), return_exceptions=True)
    assert all(isinstance(answer, CacheUnavailableError) for answer in answers)
    world.server.start()
    await eventually("Redis answers", world.answers)


async def test_answers_never_cross_where_callers_leave(server: Valkey) -> None:
    dice = random.Random(7)
    left = answered = 0
    async with delaying_proxy(server.port) as proxy, Redis.from_url(proxy.url(server.url)) as redis:
        call = script_call(redis, Breaker("crossing"), SCRIPT, LONG)
        await call(KEYS, ["first"])
        proxy.delay = 0.004

        async def one(number: int, limit: float | None) -> None:
            nonlocal left, answered
            try:
                async with asyncio.timeout(limit):
                    answer = await call(KEYS, [number])
            except TimeoutError:
                left += 1
            else:
                answered += 1
                assert answer == str(number).encode()

        for number in range(30):
            limits = [dice.choice([None, dice.uniform(0, 0.02)]) for _ in range(20)]
            await asyncio.gather(*(one(100 * number + place, limit) for place, limit in enumerate(limits)))
    assert left > 50
    assert answered > 250


async def test_a_batch_that_is_given_up_spoils_no_later_answer(server: Valkey) -> None:
    async with delaying_proxy(server.port) as proxy, Redis.from_url(proxy.url(server.url)) as redis:
        breaker = Breaker("late", fail_max=1_000)
        call = script_call(redis, breaker, SCRIPT, Patience(seconds=0.2, slow_seconds=1.0))
        await call(KEYS, ["first"])
        proxy.delay = 0.5
        late = await asyncio.gather(*(call(KEYS, [f"late {n}"]) for n in range(10)), return_exceptions=True)
        assert all(isinstance(answer, CacheUnavailableError) for answer in late)
        proxy.delay = 0.0

        async def is_right() -> bool:
            answers = await asyncio.gather(*(call(KEYS, [n]) for n in range(10)), return_exceptions=True)
            good = [(n, answer) for n, answer in enumerate(answers) if not isinstance(answer, Exception)]
            assert all(answer == str(n).encode() for n, answer in good)
            return len(good) == len(answers)

        await eventually("the answers come in time", is_right)


async def test_who_waits_too_long_behind_others_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await world.answers()
    monkeypatch.setattr(redis_batches, "QUEUE_SECONDS", -1.0)
    with pytest.raises(GatewayBusyError):
        await world.call(KEYS, ["late"])
    assert world.breaker.state == "closed"
