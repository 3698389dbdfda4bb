"""What the queue leaves in Redis, and how much: keys, bytes, what is forgotten, and a server without memory."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, cast

import pytest

from scic.errors import ScicError
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.redis_names import REGISTRY
from tests.contract.job_worlds import BROKEN, LEASE, RedisWorld, built, claimed, done, listed, redis_world, submission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from services.gateway.jobs.ports import JobQueue
    from tests.valkey import Valkey

JOBS = ("done", "dead", "gone")


@pytest.fixture
async def world(server: Valkey) -> AsyncIterator[RedisWorld]:
    async with redis_world(server) as world:
        yield world


async def lost(action: Awaitable[object]) -> None:
    with pytest.raises(ScicError) as raised:
        await action
    assert raised.value.reason == "QUEUE_UNAVAILABLE"


async def test_where_the_memory_is_full_work_goes_on_and_submissions_are_refused(world: RedisWorld) -> None:
    for number in range(4):
        await world.queue.submit(submission(str(number), items=1))
    claim = await claimed(world.queue)
    await world.queue.record(claim, {0: built(0)})
    await world.redis.config_set("maxmemory", "1")
    try:
        for number in range(8):
            await lost(world.queue.submit(submission(f"more-{number}")))
        await world.queue.heartbeat(claim)
        await world.queue.succeed(claim)
        claim = await claimed(world.queue)
        await world.queue.fail(claim, BROKEN, final=False)
        await world.queue.release(await claimed(world.queue))
        await world.redis.config_set("maxmemory", "256mb")
        await world.passes(61)
        await world.redis.config_set("maxmemory", "1")
        assert {(await claimed(world.queue)).job.request_id for _ in range(3)} == {"1", "2", "3"}
        await world.queue.cancel("acme", "job-3")
        assert await world.queue.erase_tenant("acme") == 4
    finally:
        await world.redis.config_set("maxmemory", "256mb")
    assert await listed(world.queue) == []
    assert (await world.queue.submit(submission("more-1")))[1] is True


async def test_all_keys_of_a_tenant_share_a_slot_and_none_may_be_evicted(world: RedisWorld) -> None:
    await _some_of_everything(world.queue)
    keys = await _keys(world)
    assert {key for key in keys if not key.startswith("scic-jobs:{acme}:")} == {REGISTRY}
    assert not [key for key in keys if key.startswith("scic:")]  # an emptied cache would take it along
    for key in keys:
        assert await world.redis.ttl(key) == -1, key


async def test_what_users_wrote_stands_in_payload_and_results_only(world: RedisWorld) -> None:
    await _some_of_everything(world.queue)
    for name in await _keys(world):
        assert "secret" not in name
        if name.split(":")[2:3] == ["job"]:
            fields = await world.redis.hgetall(name)
            assert not [field for field, value in fields.items() if b"secret" in value and field != b"payload"]
        elif name.split(":")[2:3] == ["named"]:
            assert not [value for value in (await world.redis.hgetall(name)).values() if b"secret" in value]


async def _keys(world: RedisWorld) -> list[str]:
    return [key.decode() async for key in world.redis.scan_iter("*")]


async def _some_of_everything(queue: JobQueue) -> None:
    for number in range(4):
        await queue.submit(
            submission(
                str(number), documents=["secret.md"], subjects=["secret"], payload=b"secret", priority=5 - number
            )
        )
    claims = [await claimed(queue) for _ in range(3)]
    await queue.record(claims[0], {0: built(0, "secret.md"), 1: built(1)})
    await queue.succeed(claims[0])
    await queue.fail(claims[1], BROKEN, final=False)
    await queue.record(claims[2], {0: built(0, "secret-2.md")})


async def test_the_payload_goes_with_success_and_stays_for_a_replay(world: RedisWorld) -> None:
    await world.queue.submit(submission("done", items=1, priority=5))
    await world.queue.submit(submission("dead", priority=4))
    await world.queue.submit(submission("gone", priority=3))
    claim = await claimed(world.queue)
    await world.queue.record(claim, {0: built(0)})
    await world.queue.succeed(claim)
    await world.queue.fail(await claimed(world.queue), BROKEN, final=True)
    await world.queue.cancel("acme", "job-gone")
    held = {name: await world.redis.hexists(f"scic-jobs:{{acme}}:job:job-{name}", "payload") for name in JOBS}
    assert held == {"done": False, "dead": True, "gone": True}


async def test_streams_hold_only_what_waits_or_runs(world: RedisWorld) -> None:
    for number in range(40):
        await world.queue.submit(submission(str(number), items=1, priority=number % 5 + 1, max_attempts=1))
    for number in range(30):
        claim = await claimed(world.queue)
        if number % 3 == 0:
            await world.queue.record(claim, {0: built(0)})
            await world.queue.succeed(claim)
        elif number % 3 == 1:
            await world.queue.fail(claim, BROKEN, final=False)
    streams = [f"scic-jobs:{{acme}}:queue:{priority}" for priority in range(1, 6)]
    assert sum([await world.redis.xlen(stream) for stream in streams]) == 20
    assert sum([(await world.redis.xpending(stream, "workers"))["pending"] for stream in streams]) == 10
    await world.passes(LEASE + 1)
    while left := await world.queue.claim():  # those whose worker is gone had one attempt
        await world.queue.record(left, {0: built(0)})
        await world.queue.succeed(left)
    assert [await world.redis.xlen(stream) for stream in streams] == [0] * 5
    assert not await world.redis.exists("scic-jobs:{acme}:leases")
    assert not await world.redis.exists("scic-jobs:{acme}:running")


async def test_what_is_forgotten_leaves_nothing(world: RedisWorld) -> None:
    for number in range(30):
        await world.queue.submit(submission(str(number), items=1, retention=60))
        claim = await claimed(world.queue)
        await world.queue.record(claim, {0: built(0)})
        await world.queue.succeed(claim)
    await world.passes(61)
    assert await listed(world.queue) == []
    await world.passes(601)
    for _ in range(3):
        await world.passes(61)
        assert await world.queue.claim() is None
    assert await world.redis.keys("scic-jobs:{*") == []


async def test_what_is_over_is_forgotten_within_moments_however_much_it_is(world: RedisWorld) -> None:
    queue = world.another_queue(most=1000)
    for number in range(450):
        await queue.submit(submission(str(number), items=1, retention=60))
        await queue.cancel("acme", f"job-{number}")
    await world.passes(61)
    assert await queue.claim() is None
    await world.passes(599)
    for _ in range(12):
        await world.passes(0.5)
        assert await queue.claim() is None
    assert await world.redis.keys("scic-jobs:{*") == []


async def test_a_worker_without_a_free_place_makes_room_in_a_full_memory(world: RedisWorld) -> None:
    await world.queue.submit(submission("old", items=1, retention=60))
    await done(world.queue, await claimed(world.queue))
    await world.queue.submit(submission("new"))
    claim = await claimed(world.queue)
    await world.passes(661)
    await world.redis.config_set("maxmemory", "1")
    try:
        await world.queue.heartbeat(claim)
    finally:
        await world.redis.config_set("maxmemory", "256mb")
    assert not await world.redis.exists("scic-jobs:{acme}:results:job-old")


async def test_a_claim_whose_answer_was_lost_is_answered_again_in_a_full_memory(world: RedisWorld) -> None:
    queue = world.another_queue()
    await queue.submit(submission())
    claim = await claimed(queue)
    queue._unanswered["acme"] = claim.token
    await world.passes(LEASE / 2 + 1)
    await world.redis.config_set("maxmemory", "1")
    try:
        assert (await claimed(queue)).token == claim.token
    finally:
        await world.redis.config_set("maxmemory", "256mb")


async def bytes_of(world: RedisWorld) -> tuple[int, int]:
    """Bytes of payloads and results as the queue counts them, and as they are."""
    counted, held = int(await world.redis.hget("scic-jobs:{acme}:state", "bytes") or 0), 0
    async for key in world.redis.scan_iter("scic-jobs:{acme}:*"):
        kind = key.decode().split(":")[2]
        if kind == "job":
            held += len(await world.redis.hget(key, "payload") or b"")
        elif kind == "results":
            held += sum(len(value) for value in cast("list[bytes]", await world.redis.hvals(key)))
    return counted, held


async def test_bytes_are_counted_exactly_whatever_becomes_of_them(world: RedisWorld) -> None:
    queue = world.queue
    for number in range(6):
        await queue.submit(
            submission(str(number), payload=b"x" * 40 * number, documents=[f"{number}.md"], retention=60)
        )
    claims = [await claimed(queue) for _ in range(5)]
    for number, claim in enumerate(claims):
        for index in (0, 1, 1):
            await queue.record(claim, {index: built(index, f"{index}.md", text="y" * 30 * number)})
            counted, held = await bytes_of(world)
            assert counted == held > 0
    await queue.succeed(claims[0])
    await queue.fail(claims[1], BROKEN, final=True)
    await queue.cancel("acme", "job-2")
    await queue.release(claims[3])
    await queue.release(claims[4])
    assert len(set(await bytes_of(world))) == 1
    await queue.erase_documents("acme", ["1.md", "5.md"], "")
    counted, held = await bytes_of(world)
    assert counted == held > 0
    await world.passes(61)
    await queue.submit(submission("0"))
    assert len(set(await bytes_of(world))) == 1
    await world.passes(661)
    await queue.submit(submission("9"))
    counted, held = await bytes_of(world)
    assert counted == held > 0
    await queue.erase_tenant("acme")
    assert await bytes_of(world) == (0, 0)


async def test_bytes_of_a_tenant_are_bounded_and_the_refusal_says_by_what(world: RedisWorld) -> None:
    queue, noise = world.another_queue(most_bytes=2000), Random(1).randbytes(1000)
    await queue.submit(submission("one", payload=noise))
    await full(queue.submit(submission("two", payload=noise)))
    await queue.submit(submission("small", payload=b""))
    await queue.submit(submission("elsewhere", tenant="other", payload=noise))
    claim = await claimed(queue)
    assert claim.job.request_id == "one"
    await queue.record(claim, {0: built(0)})
    await full(queue.record(claim, {0: built(0), 1: built(1, text=noise.hex())}))
    assert (await queue.get("acme", "job-one")).job.done_count == 1
    await queue.heartbeat(claim)  # how its attempt ends is for the worker to say
    await queue.record(claim, {1: built(1)})
    await queue.succeed(claim)
    await queue.submit(submission("two", payload=noise))


async def full(action: Awaitable[object]) -> None:
    with pytest.raises(ScicError) as raised:
        await action
    assert (raised.value.reason, raised.value.metadata) == ("JOB_QUEUE_FULL", {"limit_bytes": "2000"})


async def test_results_come_in_steps_of_bounded_size(world: RedisWorld) -> None:
    await world.queue.submit(submission(items=3))
    claim = await claimed(world.queue)
    noise = [Random(number).randbytes(450_000).hex() for number in range(3)]
    await world.queue.record(claim, {index: built(index, text=noise[index]) for index in range(3)})
    found, asked = list[pb.JobResult](), 0
    while results := await world.queue.results("acme", "job-one", start=len(found), limit=9):
        found += results
        asked += 1
    assert [result.context.request_id for result in found] == noise
    assert asked > 1
