"""The queue in Redis where things go wrong: clocks that jump, answers that are lost, gateways that die, no server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from scic.errors import ScicError
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.ports import Claim, LostClaimError
from services.gateway.jobs.redis_names import REGISTRY
from services.gateway.redis.signals import redis_signals
from tests.contract.job_worlds import (
    BROKEN,
    LEASE,
    RedisWorld,
    built,
    claimed,
    client,
    listed,
    redis_queue,
    redis_world,
    submission,
)
from tests.valkey import Valkey
from tests.waiting import LONG, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    from services.gateway.jobs.ports import JobQueue
    from services.gateway.jobs.redis_job_queue import RedisJobQueue

    Gone = tuple[RedisJobQueue, Claim]

HOUR = 3600.0


@pytest.fixture
async def world(server: Valkey) -> AsyncIterator[RedisWorld]:
    async with redis_world(server) as world:
        yield world


@pytest.fixture
def queue(world: RedisWorld) -> JobQueue:
    return world.queue


def losing(script: Any) -> Callable[..., Awaitable[Any]]:
    """A script whose answers are lost on the way."""

    async def run(**arguments: Any) -> Any:
        await script(**arguments)
        raise RedisConnectionError("connection reset")

    return run


def dying(register: Any) -> Callable[..., Awaitable[Any]]:
    """Registers a tenant, and is gone when it is to tell the workers."""

    async def run(*, keys: list[str], args: list[Any]) -> Any:
        if args[1]:
            raise RedisConnectionError("connection reset")
        return await register(keys=keys, args=args)

    return run


async def lost(action: Awaitable[object]) -> None:
    with pytest.raises(ScicError) as raised:
        await action
    assert raised.value.reason == "QUEUE_UNAVAILABLE"


@pytest.mark.parametrize("hours", [1.0, 24.0 * 365])
async def test_a_clock_that_jumps_ahead_takes_no_job_from_a_worker(world: RedisWorld, hours: float) -> None:
    await world.queue.submit(submission(max_attempts=1))
    claim = await claimed(world.queue)
    await world.shift(-hours * HOUR, seen=True)
    assert await world.another_queue().claim() is None
    await world.queue.heartbeat(claim)
    await world.queue.record(claim, {0: built(0), 1: built(1)})
    await world.queue.succeed(claim)


async def test_after_a_jump_ahead_what_has_no_worker_is_taken_over_a_lease_later(world: RedisWorld) -> None:
    await world.queue.submit(submission())
    await claimed(world.queue)
    await world.shift(-HOUR, seen=True)
    worker = world.another_queue()
    assert await worker.claim() is None
    await world.passes(LEASE / 2)
    assert await worker.claim() is None
    await world.passes(LEASE / 2 + 1)
    assert (await claimed(worker)).job.attempt_count == 2


async def test_a_clock_that_jumps_back_holds_nothing_up(world: RedisWorld) -> None:
    for name in ("held", "paused"):
        await world.queue.submit(submission(name, items=1))
    held = await claimed(world.queue)
    await world.queue.fail(await claimed(world.queue), BROKEN, final=False)
    await world.shift(HOUR, seen=True)
    worker = world.another_queue()
    assert await worker.claim() is None
    await world.passes(max(LEASE, 60) + 1)
    again = [await claimed(worker), await claimed(worker)]
    assert {claim.job.request_id for claim in again} == {"held", "paused"}
    with pytest.raises(LostClaimError):
        await world.queue.heartbeat(held)


async def test_a_server_that_was_away_for_longer_than_a_lease_takes_no_job_from_a_worker(
    tmp_path: Path,
) -> None:
    server = Valkey(tmp_path)
    server.start()
    try:
        async with client(server) as redis:
            queue, another = redis_queue(redis, lease=1), redis_queue(redis, lease=1)
            await queue.submit(submission(items=1))
            claim = await claimed(queue)
            server.kill()
            await asyncio.sleep(1.5)
            server.start()
            await _answering(another)
            assert await another.claim() is None
            await _insist(lambda: queue.record(claim, {0: built(0)}))
            await queue.succeed(claim)
    finally:
        server.kill()


async def _answering(queue: JobQueue) -> None:
    async def answers() -> bool:
        with suppress(ScicError):
            await queue.get("acme", "job-one")
            return True
        return False

    await eventually("the queue answers", answers)


async def _insist(action: Callable[[], Awaitable[None]]) -> None:
    async def succeeds() -> bool:
        with suppress(ScicError):
            await action()
            return True
        return False

    await eventually("the queue takes it", succeeds)


async def test_a_claim_whose_answer_was_lost_is_not_a_lost_attempt(world: RedisWorld) -> None:
    """A server that is too slow to be heard must not use up the attempts of jobs that nobody ever had."""
    queue = world.another_queue()
    await queue.submit(submission("one", max_attempts=1))
    claim_script = queue._claim
    queue._claim = losing(claim_script)  # type: ignore[assignment]  # loses answers, and is called alike
    for _ in range(3):
        await lost(queue.claim())
        await world.passes(1)
    queue._claim = claim_script
    claim = await claimed(queue)
    assert (claim.job.request_id, claim.job.attempt_count) == ("one", 1)
    assert await queue.claim() is None
    await queue.record(claim, {0: built(0), 1: built(1)})
    await queue.succeed(claim)


async def test_a_submission_whose_answer_was_lost_is_repeated(world: RedisWorld) -> None:
    queue = world.another_queue()
    script = queue._submit
    queue._submit = losing(script)  # type: ignore[assignment]  # loses answers, and is called alike
    await lost(queue.submit(submission()))
    queue._submit = script
    assert (await queue.submit(submission()))[1] is False
    assert (await claimed(world.queue)).job.attempt_count == 1


@pytest.mark.parametrize("asked_before", [False, True])
async def test_a_job_of_a_gateway_that_died_behind_its_submission_is_found(
    world: RedisWorld, asked_before: bool
) -> None:
    gateway, worker = world.another_queue(), world.another_queue()
    gateway._registry._register = dying(gateway._registry._register)  # type: ignore[assignment]  # is called alike
    if asked_before:
        await gateway._registry.expect("acme")
        assert await worker.claim() is None
    await lost(gateway.submit(submission()))
    await world.passes(61)
    assert (await claimed(worker)).job.request_id == "one"


async def test_a_tenant_without_jobs_leaves_the_registry_and_comes_back(world: RedisWorld) -> None:
    queue = world.another_queue()
    await queue.submit(submission())
    assert await queue.erase_tenant("acme") == 1
    assert await queue.claim() is None
    assert await world.redis.zscore(REGISTRY, "acme") is not None  # who registered it may be about to submit
    await world.redis.zincrby(REGISTRY, -2 * HOUR * 1000, "acme")
    await world.passes(61)
    assert await queue.claim() is None
    assert await world.redis.keys("scic-jobs:*") == []
    await queue.submit(submission())
    await world.passes(1)
    assert (await claimed(queue)).job.request_id == "one"


async def test_tenants_that_have_nothing_cost_nothing(world: RedisWorld) -> None:
    queue = world.another_queue()
    await world.redis.zadd(REGISTRY, {f"tenant-{number}": 1000 + number for number in range(1000)})
    assert await queue.claim() is None
    for number in range(20):
        await queue.submit(submission(str(number), items=1))
    before = await _commands(world)
    for _ in range(20):
        await world.passes(0.01)
        await claimed(queue)
    assert await _commands(world) - before < 100


async def _commands(world: RedisWorld) -> int:
    return int((await world.redis.info("commandstats")).get("cmdstat_evalsha", {}).get("calls", 0))


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda queue, _: queue.submit(submission("new")), id="submit"),
        pytest.param(lambda queue, _: queue.get("acme", "job-one"), id="get"),
        pytest.param(lambda queue, _: listed(queue), id="list"),
        pytest.param(lambda queue, _: queue.results("acme", "job-one", start=0, limit=1), id="results"),
        pytest.param(lambda queue, _: queue.events("acme", "job-one", after=""), id="events"),
        pytest.param(lambda queue, _: queue.cancel("acme", "job-one"), id="cancel"),
        pytest.param(lambda queue, _: queue.replay("acme", "job-one"), id="replay"),
        pytest.param(lambda queue, _: queue.claim(), id="claim"),
        pytest.param(lambda queue, claim: queue.heartbeat(claim), id="heartbeat"),
        pytest.param(lambda queue, claim: queue.record(claim, {0: built(0)}), id="record"),
        pytest.param(lambda queue, claim: queue.succeed(claim), id="succeed"),
        pytest.param(lambda queue, claim: queue.fail(claim, BROKEN, final=True), id="fail"),
        pytest.param(lambda queue, claim: queue.release(claim), id="release"),
        pytest.param(lambda queue, _: queue.erase_documents("acme", ["a"], ""), id="erase documents"),
        pytest.param(lambda queue, _: queue.erase_tenant("acme"), id="erase tenant"),
    ],
)
async def test_without_a_server_every_call_says_so(
    gone: Gone, ask: Callable[[RedisJobQueue, Claim], Coroutine[Any, Any, object]]
) -> None:
    queue, claim = gone
    async with asyncio.timeout(LONG):
        await lost(ask(queue, claim))


@pytest.fixture(scope="module")
def dead_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("dead"))
    yield server
    server.kill()


@pytest.fixture
async def gone(dead_server: Valkey) -> AsyncIterator[Gone]:
    """A queue whose server has died, and a claim of before."""
    dead_server.start()
    async with redis_world(dead_server) as world:
        await world.queue.submit(submission())
        claim = await claimed(world.queue)
        dead_server.kill()
        yield world.another_queue(), claim


async def test_what_was_acknowledged_outlives_the_server(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.start()
    try:
        async with client(server) as redis:
            await redis.config_set("appendfsync", "always")
            queue = redis_queue(redis)
            for number in range(5):
                await queue.submit(submission(str(number), items=1))
            claim = await claimed(queue)
            await queue.record(claim, {0: built(0)})
            before = await listed(queue)
            server.kill()
            server.start()
            await _insist(lambda: queue.heartbeat(claim))
            assert await listed(queue) == before
            await queue.succeed(claim)
            assert len([await claimed(queue) for _ in range(4)]) == 4
    finally:
        server.kill()


@pytest.mark.parametrize("word", ["submit", "replay", "release", "fail"])
async def test_workers_are_told_of_jobs(server: Valkey, world: RedisWorld, word: str) -> None:
    async with Redis.from_url(server.url) as listening, redis_signals(listening) as signals:
        await world.queue.submit(submission())
        claim = await claimed(world.queue)
        if word == "replay":
            await world.queue.cancel("acme", "job-one")
        await eventually("it listens", lambda: _listens(world))
        actions: dict[str, Callable[[], Awaitable[object]]] = {
            "submit": lambda: world.queue.submit(submission("two")),
            "replay": lambda: world.queue.replay("acme", "job-one"),
            "release": lambda: world.queue.release(claim),
            "fail": lambda: world.queue.fail(claim, BROKEN, final=False),
        }
        job = "two" if word == "submit" else "one"
        with signals.expect("queue") as told, signals.expect(f"job:acme:job-{job}") as watching:
            await actions[word]()
            async with asyncio.timeout(LONG):
                await told.wait()
                await watching.wait()


async def _listens(world: RedisWorld) -> bool:
    return bool((await world.redis.info("clients")).get("pubsub_clients", 0))


async def test_gateways_share_a_queue(world: RedisWorld) -> None:
    queues = [world.another_queue(most=1000) for _ in range(4)]
    names = [str(number) for number in range(100)]
    await asyncio.gather(*(queues[number % 4].submit(submission(name)) for number, name in enumerate(names)))
    claims = list[Claim]()

    async def work(queue: JobQueue) -> None:
        while claim := await queue.claim():
            claims.append(claim)

    await asyncio.gather(*(work(queue) for queue in queues))
    assert sorted(claim.job.request_id for claim in claims) == sorted(names)
    assert {claim.job.state for claim in claims} == {pb.JOB_STATE_RUNNING}


async def test_a_worker_that_is_first_back_after_a_jump_costs_no_other_its_job(world: RedisWorld) -> None:
    """Its sign of life says that somebody looked: the lease of the other one goes on all the same."""
    for name in ("a", "b"):
        await world.queue.submit(submission(name, max_attempts=1))
    first, second = await claimed(world.queue), await claimed(world.queue)
    await world.shift(-HOUR, seen=True)
    await world.queue.heartbeat(first)
    assert await world.another_queue().claim() is None
    for claim in (first, second):
        await world.queue.record(claim, {0: built(0), 1: built(1)})
        await world.queue.succeed(claim)


def repeated(script: Any) -> Callable[..., Awaitable[Any]]:
    """A script whose first answer is lost with the connection, so that the client sends it again."""

    async def run(**arguments: Any) -> Any:
        await script(**arguments)
        return await script(**arguments)

    return run


async def test_a_command_that_the_client_repeats_is_answered_as_the_first_time(world: RedisWorld) -> None:
    queue = world.another_queue()
    queue._submit = repeated(queue._submit)  # type: ignore[assignment]  # is called alike
    queue._replay = repeated(queue._replay)  # type: ignore[assignment]  # is called alike
    assert (await queue.submit(submission()))[1] is True
    assert (await queue.submit(submission()))[1] is False
    await queue.cancel("acme", "job-one")
    assert (await queue.replay("acme", "job-one")).job.state == pb.JOB_STATE_QUEUED
    with pytest.raises(ScicError) as raised:
        await queue.replay("acme", "job-one")
    assert raised.value.reason == "JOB_NOT_REPLAYABLE"
