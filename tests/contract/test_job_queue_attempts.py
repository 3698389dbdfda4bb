"""What every queue promises of attempts: leases, pauses, ends, and new beginnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scic.errors import ScicError
from services.gateway.jobs.ports import Claim, LostClaimError
from tests.contract.job_worlds import (
    BROKEN,
    CANCELLED,
    DEAD,
    LEASE,
    LONGEST_PAUSE,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    World,
    built,
    claimed,
    done,
    reason,
    state,
    submission,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from scic.gateway.v1 import job_service_pb2 as pb
    from services.gateway.jobs.ports import JobQueue


@pytest.fixture
def world(any_world: World) -> World:
    return any_world


@pytest.fixture
def queue(world: World) -> JobQueue:
    return world.queue


async def test_the_job_of_a_worker_that_is_gone_is_taken_over(world: World) -> None:
    queue = world.queue
    await queue.submit(submission())
    first = await claimed(queue)
    await queue.record(first, {0: built(0)})
    await world.passes(LEASE - 1)
    assert await queue.claim() is None
    await world.passes(2)
    second = await claimed(queue)
    assert second.token != first.token
    assert (second.job.attempt_count, second.done, second.payload) == (1, frozenset({0}), b"payload")
    stale: list[Callable[[], Coroutine[Any, Any, None]]] = [
        lambda: queue.heartbeat(first),
        lambda: queue.record(first, {1: built(1, text="stale")}),
        lambda: queue.succeed(first),
        lambda: queue.fail(first, BROKEN, final=True),
        lambda: queue.release(first),
    ]
    for action in stale:
        with pytest.raises(LostClaimError):
            await action()
    assert (await queue.get("acme", "job-one")).job == second.job
    await queue.record(second, {1: built(1)})
    await queue.succeed(second)
    assert [r.context.request_id for r in await queue.results("acme", "job-one", start=0, limit=9)] == ["context"] * 2


@pytest.mark.parametrize("sign", ["heartbeat", "record"])
async def test_a_sign_of_life_renews_the_lease(world: World, sign: str) -> None:
    queue = world.queue
    await queue.submit(submission(items=20))
    claim = await claimed(queue)
    for index in range(4):
        await world.passes(LEASE * 0.7)
        assert await queue.claim() is None
        await (queue.heartbeat(claim) if sign == "heartbeat" else queue.record(claim, {index: built(index)}))
    assert (await queue.get("acme", "job-one")).job.attempt_count == 1
    await world.passes(LEASE + 1)
    assert (await claimed(queue)).job.attempt_count == (2 if sign == "heartbeat" else 1)


async def test_a_poison_job_dies_and_blocks_nobody(world: World) -> None:
    queue = world.queue
    await queue.submit(submission("poison", priority=5, max_attempts=3))
    await queue.submit(submission("good", priority=1))
    served = list[str]()
    for _ in range(5):
        if claim := await queue.claim():
            served.append(claim.job.request_id)
            if claim.job.request_id == "good":
                await done(queue, claim)
        await world.passes(LEASE + 1)
    assert sorted(served) == ["good", "poison", "poison", "poison"]
    assert (await state(queue, "poison"), await reason(queue, "poison")) == (DEAD, "JOB_ABANDONED")
    assert (await queue.get("acme", "job-poison")).job.attempt_count == 3
    assert await state(queue, "good") == SUCCEEDED


async def test_a_failed_attempt_is_tried_again_after_a_pause(world: World) -> None:
    queue = world.queue
    await queue.submit(submission())
    claim = await claimed(queue)
    await queue.record(claim, {1: built(1)})
    await queue.fail(claim, BROKEN, final=False)
    job = (await queue.get("acme", "job-one")).job
    assert (job.state, job.error, job.attempt_count) == (QUEUED, BROKEN, 1)
    assert 0 <= job.retry_time.ToMilliseconds() - job.start_time.ToMilliseconds() <= 20_000  # a pause of at most 1 s
    await world.passes(LONGEST_PAUSE)
    again = await claimed(queue)
    assert (again.job.attempt_count, again.done) == (2, frozenset({1}))
    assert not again.job.HasField("retry_time")
    await queue.record(again, {0: built(0)})
    await queue.succeed(again)
    job = (await queue.get("acme", "job-one")).job
    assert (job.state, job.HasField("error")) == (SUCCEEDED, False)


async def test_a_job_that_pauses_waits(world: World) -> None:
    queue = world.queue
    await queue.submit(submission(max_attempts=9))
    for _ in range(8):
        await world.passes(LONGEST_PAUSE)
        await queue.fail(await claimed(queue), BROKEN, final=False)
        if (await queue.get("acme", "job-one")).job.attempt_count > 5:
            # Full jitter: a pause may be short, but not eight times.
            if await queue.claim() is None:
                return
            pytest.skip("a pause of less than a moment")
    pytest.fail("no attempt had to wait")


@pytest.mark.parametrize("final", [False, True])
async def test_after_its_last_attempt_a_job_is_dead(world: World, final: bool) -> None:
    queue = world.queue
    await queue.submit(submission(max_attempts=9 if final else 2))
    for _ in range(1 if final else 2):
        await world.passes(LONGEST_PAUSE)
        await queue.fail(await claimed(queue), BROKEN, final=final)
    job = (await queue.get("acme", "job-one")).job
    assert (job.state, job.error) == (DEAD, BROKEN)
    assert job.HasField("expire_time")
    await world.passes(LONGEST_PAUSE)
    assert await queue.claim() is None


async def test_what_a_worker_gives_back_is_begun_first_and_its_attempt_does_not_count(queue: JobQueue) -> None:
    await queue.submit(submission("one", max_attempts=1))
    for number in range(5):
        await queue.submit(submission(str(number), priority=5))
    claims = [await claimed(queue) for _ in range(6)]
    (claim,) = [claim for claim in claims if claim.job.request_id == "one"]
    await queue.release(claim)
    assert await state(queue) == QUEUED
    await queue.submit(submission("new", priority=5))
    again = await claimed(queue)
    assert (again.job.request_id, again.job.attempt_count) == ("one", 1)
    with pytest.raises(LostClaimError):
        await queue.heartbeat(claim)
    await done(queue, again)


async def test_a_report_that_is_repeated_has_its_effect_once(world: World) -> None:
    """Its answer may have been lost."""
    queue = world.queue
    for number in range(3):
        await queue.submit(submission(str(number)))
    for _ in range(2):
        claim = await claimed(queue)
        await queue.release(claim)
        await queue.release(claim)
    claim = await claimed(queue)
    await queue.fail(claim, BROKEN, final=False)
    await queue.fail(claim, BROKEN, final=True)
    assert await state(queue, claim.job.request_id) == QUEUED
    claim = await claimed(queue)
    await done(queue, claim)
    await queue.succeed(claim)
    assert await state(queue, claim.job.request_id) == SUCCEEDED


@pytest.mark.parametrize("begun", ["waits", "runs", "pauses", "given back"])
async def test_a_job_is_cancelled(world: World, begun: str) -> None:
    queue = world.queue
    await queue.submit(submission())
    claim = await claimed(queue) if begun != "waits" else None
    if claim and begun == "pauses":
        await queue.fail(claim, BROKEN, final=False)
    if claim and begun == "given back":
        await queue.release(claim)
    assert (await queue.cancel("acme", "job-one")).job.state == CANCELLED
    assert (await queue.cancel("acme", "job-one")).job.state == CANCELLED
    if claim:
        with pytest.raises(LostClaimError):
            await queue.record(claim, {0: built(0)})
    await world.passes(LEASE + LONGEST_PAUSE)
    assert await queue.claim() is None
    assert await queue.results("acme", "job-one", start=0, limit=1) == []


@pytest.mark.parametrize("ending", [SUCCEEDED, DEAD])
async def test_what_has_ended_is_not_cancelled(queue: JobQueue, ending: pb.JobState.ValueType) -> None:
    await queue.submit(submission())
    claim = await claimed(queue)
    await (done(queue, claim) if ending == SUCCEEDED else queue.fail(claim, BROKEN, final=True))
    with pytest.raises(ScicError) as raised:
        await queue.cancel("acme", "job-one")
    assert raised.value.reason == "JOB_FINISHED"
    assert await state(queue) == ending


@pytest.mark.parametrize("ending", [CANCELLED, DEAD])
async def test_a_replay_goes_on_with_new_attempts(world: World, ending: pb.JobState.ValueType) -> None:
    queue = world.queue
    await queue.submit(submission(max_attempts=1))
    claim = await claimed(queue)
    await queue.record(claim, {0: built(0)})
    if ending == CANCELLED:
        await queue.cancel("acme", "job-one")
    else:
        await queue.fail(claim, BROKEN, final=False)
    assert await state(queue) == ending
    job = (await queue.replay("acme", "job-one")).job
    assert (job.state, job.attempt_count, job.done_count) == (QUEUED, 0, 1)
    assert not any(job.HasField(name) for name in ("error", "start_time", "end_time", "retry_time", "expire_time"))
    again = await claimed(queue)
    assert (again.job.attempt_count, again.done, again.payload) == (1, frozenset({0}), b"payload")
    await queue.record(again, {1: built(1)})
    await queue.succeed(again)
    await world.passes(3599)
    assert await state(queue) == SUCCEEDED


@pytest.mark.parametrize("begun", [QUEUED, RUNNING, SUCCEEDED])
async def test_what_is_neither_dead_nor_cancelled_is_not_replayed(
    queue: JobQueue, begun: pb.JobState.ValueType
) -> None:
    await queue.submit(submission())
    if begun != QUEUED:
        claim = await claimed(queue)
        if begun == SUCCEEDED:
            await done(queue, claim)
    with pytest.raises(ScicError) as raised:
        await queue.replay("acme", "job-one")
    assert raised.value.reason == "JOB_NOT_REPLAYABLE"
    assert await state(queue) == begun


async def test_an_attempt_that_kept_a_result_does_not_count_when_its_worker_is_gone(world: World) -> None:
    queue = world.queue
    await queue.submit(submission(items=3, max_attempts=1))
    for index in range(3):
        claim = await claimed(queue)
        assert (claim.job.attempt_count, len(claim.done)) == (1, index)
        await queue.record(claim, {index: built(index)})
        await world.passes(LEASE + 1)
    await queue.succeed(await claimed(queue))
    assert await state(queue) == SUCCEEDED


async def test_a_poison_job_takes_none_with_it_that_ran_beside_it(world: World) -> None:
    """A worker of four places, which the poison job kills as soon as it has it."""
    queue = world.queue
    for name in ("poison", *"abcdefg"):
        await queue.submit(submission(name, items=1))
    held = list[Claim]()
    for _ in range(400):
        while len(held) < 4 and (claim := await queue.claim()):
            held.append(claim)
        if any(claim.job.request_id == "poison" for claim in held):
            held.clear()
            await world.passes(LEASE + 1)
        elif held:
            await done(queue, held.pop(0))
        else:
            await world.passes(2)
        if await state(queue, "poison") == DEAD and all([await state(queue, name) == SUCCEEDED for name in "abcdefg"]):
            break
    assert (await state(queue, "poison"), await reason(queue, "poison")) == (DEAD, "JOB_ABANDONED")
    assert [await state(queue, name) for name in "abcdefg"] == [SUCCEEDED] * 7


async def test_an_attempt_that_does_not_count_leaves_as_many(world: World) -> None:
    queue = world.queue
    await queue.submit(submission(max_attempts=1))
    for _ in range(3):
        claim = await claimed(queue)
        assert claim.job.attempt_count == 1
        await queue.fail(claim, BROKEN, final=False, counted=False)
        job = (await queue.get("acme", "job-one")).job
        assert (job.state, job.attempt_count, job.error) == (QUEUED, 0, BROKEN)
        await world.passes(LONGEST_PAUSE)
    await queue.fail(await claimed(queue), BROKEN, final=False)
    assert await state(queue) == DEAD
