"""What every queue promises of an erasure: payloads and results go, and nothing comes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scic import errors
from scic.errors import ScicError, from_status
from services.gateway.jobs import redis_erasure
from services.gateway.jobs.ports import LostClaimError
from tests.contract.job_worlds import (
    BROKEN,
    DEAD,
    LEASE,
    LONGEST_PAUSE,
    MOST,
    SUCCEEDED,
    RedisWorld,
    World,
    built,
    claimed,
    done,
    listed,
    reason,
    redis_world,
    refused,
    state,
    submission,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from services.gateway.jobs.ports import JobQueue
    from tests.valkey import Valkey


@pytest.fixture
def world(any_world: World) -> World:
    return any_world


@pytest.fixture
def queue(world: World) -> JobQueue:
    return world.queue


async def test_results_that_name_an_erased_document_are_erased(queue: JobQueue) -> None:
    await queue.submit(submission(items=4))
    claim = await claimed(queue)
    results = {
        0: built(0, "a.md", "b.md"),
        1: built(1, "c.md"),
        2: refused(2, errors.EMPTY_DOCUMENT.error("no text")),
        3: built(3, "b.md"),
    }
    await queue.record(claim, results)
    await queue.succeed(claim)
    await queue.submit(submission("other", tenant="other", items=1))
    assert await queue.erase_documents("acme", ["b.md", "z.md"], "") == 1
    found = await queue.results("acme", "job-one", start=0, limit=9)
    assert [result.index for result in found] == [0, 1, 2, 3]
    reasons = [from_status(r.error).reason if r.HasField("error") else "" for r in found]
    assert reasons == ["RESULT_ERASED", "", "EMPTY_DOCUMENT", "RESULT_ERASED"]
    job = (await queue.get("acme", "job-one")).job
    assert (job.state, job.done_count, job.failed_count) == (SUCCEEDED, 4, 3)
    assert await queue.erase_documents("acme", ["b.md"], "") == 0


@pytest.mark.parametrize("begun", ["waits", "runs", "pauses"])
@pytest.mark.parametrize(("documents", "subject"), [(["a.md"], ""), (["z.md"], "anna")])
async def test_a_job_that_holds_an_erased_document_is_dead(
    world: World, begun: str, documents: list[str], subject: str
) -> None:
    queue = world.queue
    await queue.submit(submission(documents=["a.md", "b.md"], subjects=["anna"]))
    claim = await claimed(queue) if begun != "waits" else None
    if claim and begun == "pauses":
        await queue.fail(claim, BROKEN, final=False)
    await queue.submit(submission("other", documents=["c.md"], subjects=["otto"]))
    erasing = asyncio.create_task(queue.erase_documents("acme", documents, subject))
    if claim and begun == "runs":
        # Only when its worker has stopped is nothing more stored.
        await eventually("it is dead", lambda: _is_dead(queue))
        await queue.leave(claim)
    assert await erasing == 1
    assert (await state(queue), await reason(queue)) == (DEAD, "RESULT_ERASED")
    if claim:
        with pytest.raises(LostClaimError):
            await queue.heartbeat(claim)
    with pytest.raises(ScicError) as raised:
        await queue.replay("acme", "job-one")
    assert raised.value.reason == "JOB_NOT_REPLAYABLE"
    assert (await claimed(queue)).job.request_id == "other"
    await world.passes(LONGEST_PAUSE)
    assert await state(queue) == DEAD


async def _is_dead(queue: JobQueue) -> bool:
    return await state(queue) == DEAD


async def test_a_dead_job_that_holds_an_erased_document_is_not_replayed(queue: JobQueue) -> None:
    await queue.submit(submission(documents=["a.md"]))
    await queue.fail(await claimed(queue), BROKEN, final=True)
    assert await queue.erase_documents("acme", ["a.md"], "") == 1
    assert (await state(queue), await reason(queue)) == (DEAD, "STAGE_UNAVAILABLE")
    with pytest.raises(ScicError):
        await queue.replay("acme", "job-one")


async def test_an_attempt_that_began_before_an_erasure_brings_nothing_back(queue: JobQueue) -> None:
    await queue.submit(submission(items=3))
    claim = await claimed(queue)
    await queue.erase_documents("acme", ["a.md"], "")
    await queue.record(claim, {0: built(0, "a.md"), 1: built(1, "b.md")})
    await queue.release(claim)
    again = await claimed(queue)
    await queue.record(again, {2: built(2, "a.md")})  # it was ingested again since
    found = await queue.results("acme", "job-one", start=0, limit=9)
    assert [result.HasField("error") for result in found] == [True, False, False]
    assert (await queue.get("acme", "job-one")).job.failed_count == 1


async def test_an_erasure_reaches_all_jobs(queue: JobQueue) -> None:
    for number in range(MOST):
        await queue.submit(submission(str(number), items=100))
        claim = await claimed(queue)
        await queue.record(claim, {index: built(index, "a.md", f"{index}.md") for index in range(100)})
        await queue.succeed(claim)
    assert await queue.erase_documents("acme", ["7.md"], "") == MOST
    for number in range(MOST):
        found = await queue.results("acme", f"job-{number}", start=0, limit=100)
        assert [result.index for result in found if result.HasField("error")] == [7]


async def test_a_tenant_is_erased(world: World) -> None:
    queue = world.queue
    for number in range(MOST):
        await queue.submit(submission(str(number), priority=number % 5 + 1))
    claim = await claimed(queue)
    await done(queue, await claimed(queue))
    await queue.fail(await claimed(queue), BROKEN, final=False)
    await queue.submit(submission("kept", tenant="other"))
    assert await queue.erase_tenant("acme") == MOST
    assert await queue.erase_tenant("acme") == 0
    assert await listed(queue) == []
    with pytest.raises(LostClaimError):
        await queue.record(claim, {0: built(0)})
    assert (await claimed(queue)).job.request_id == "kept"
    await world.passes(LEASE + LONGEST_PAUSE)
    assert (await claimed(queue)).job.request_id == "kept"
    assert (await queue.submit(submission("1")))[1] is True
    assert (await claimed(queue)).job.request_id == "1"


@pytest.fixture
async def in_redis(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisWorld]:
    monkeypatch.setattr(redis_erasure, "_LEAVING_SECONDS", 0.3)
    async with redis_world(server) as world:
        yield world


async def unfinished(action: Awaitable[object]) -> None:
    with pytest.raises(ScicError) as raised:
        await action
    assert raised.value.reason == "QUEUE_UNAVAILABLE"


async def test_an_erasure_waits_for_the_workers_that_it_stops_and_says_so_where_one_is_silent(
    in_redis: RedisWorld,
) -> None:
    world = in_redis
    await world.queue.submit(submission(documents=["a.md"]))
    claim = await claimed(world.queue)
    await unfinished(world.queue.erase_documents("acme", ["a.md"], ""))
    with pytest.raises(LostClaimError):
        await world.queue.heartbeat(claim)  # it knows, and has not stopped yet
    await unfinished(world.queue.erase_documents("acme", ["a.md"], ""))
    await unfinished(world.queue.erase_tenant("acme"))
    await world.queue.leave(claim)
    assert await world.queue.erase_documents("acme", ["a.md"], "") == 0
    assert await world.queue.claim() is None
    assert await world.redis.keys("scic-jobs:{*") == []


async def test_an_erasure_does_not_wait_for_ever_for_a_worker_that_is_gone(
    in_redis: RedisWorld,
) -> None:
    world = in_redis
    await world.queue.submit(submission(documents=["a.md"]))
    await claimed(world.queue)
    await unfinished(world.queue.erase_tenant("acme"))
    await world.passes(LEASE + 121)
    assert await world.queue.erase_tenant("acme") == 0
