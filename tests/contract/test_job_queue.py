"""What every queue promises, the one in memory and the one in Redis: what is put in is there, once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from google.rpc import status_pb2

from scic import errors
from scic.errors import ScicError, to_status
from scic.gateway.v1 import job_service_pb2 as pb
from tests.contract.job_worlds import (
    MOST,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    World,
    built,
    claimed,
    done,
    listed,
    owner,
    refused,
    state,
    submission,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from services.gateway.jobs.ports import JobQueue


@pytest.fixture
def world(any_world: World) -> World:
    return any_world


@pytest.fixture
def queue(world: World) -> JobQueue:
    return world.queue


async def test_a_job_goes_its_way(queue: JobQueue) -> None:
    stored, created = await queue.submit(submission(priority=4, max_attempts=2, items=3))
    assert created
    assert stored.owner == owner()
    job = stored.job
    assert (job.job_id, job.request_id, job.key_id, job.kind) == ("job-one", "one", "key", pb.JOB_KIND_CONTEXTS)
    assert (job.state, job.priority, job.max_attempts, job.item_count) == (QUEUED, 4, 2, 3)
    assert job.HasField("create_time")
    assert await queue.get("acme", "job-one") == stored

    claim = await claimed(queue)
    assert (claim.payload, claim.owner, claim.done) == (b"payload", owner(), frozenset())
    assert (claim.job.state, claim.job.attempt_count) == (RUNNING, 1)
    assert claim.job.HasField("start_time")
    await queue.record(claim, {1: built(1), 0: refused(0, errors.EMPTY_DOCUMENT.error("no text"))})
    job = (await queue.get("acme", "job-one")).job
    assert (job.done_count, job.failed_count, job.degraded_count) == (2, 1, 0)
    less_well = built(2)
    less_well.result.context.degradations.add(reason="STAGE_UNAVAILABLE")
    await queue.record(claim, {2: less_well})
    await queue.succeed(claim)
    job = (await queue.get("acme", "job-one")).job
    assert (job.state, job.done_count, job.failed_count, job.degraded_count) == (SUCCEEDED, 3, 1, 1)
    assert job.expire_time.ToMilliseconds() - job.end_time.ToMilliseconds() == 3_600_000
    assert [result.index for result in await queue.results("acme", "job-one", start=0, limit=10)] == [0, 1, 2]
    assert await queue.claim() is None


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(range(256)) * 4, id="every byte"),
        pytest.param(b"a text that is long " * 20_000, id="large"),
        pytest.param(random.Random(1).randbytes(300_000), id="nothing to compress"),
    ],
)
async def test_a_payload_comes_back_as_it_was(queue: JobQueue, payload: bytes) -> None:
    await queue.submit(submission(payload=payload))
    assert (await claimed(queue)).payload == payload


async def test_a_submission_that_is_repeated_is_the_same_job(queue: JobQueue) -> None:
    first, _ = await queue.submit(submission())
    assert await queue.submit(submission()) == (first, False)
    with pytest.raises(ScicError) as raised:
        await queue.submit(submission(payload=b"other"))
    assert raised.value.reason == "REQUEST_ID_REUSED"
    assert raised.value.metadata == {"job_id": "job-one"}
    claim = await claimed(queue)
    assert await queue.claim() is None
    await done(queue, claim)
    again, created = await queue.submit(submission())
    assert (again.job.state, created) == (SUCCEEDED, False)


async def test_of_simultaneous_submissions_one_is_the_job(queue: JobQueue) -> None:
    replies = await asyncio.gather(*(queue.submit(submission()) for _ in range(20)))
    assert Counter(created for _, created in replies) == {True: 1, False: 19}
    assert len(await listed(queue)) == 1


async def test_a_tenant_sees_its_own_jobs_only(queue: JobQueue) -> None:
    await queue.submit(submission(tenant="acme"))
    await queue.submit(submission(tenant="other", payload=b"other"))
    assert len(await listed(queue, "acme")) == 1
    await queue.submit(submission("two", tenant="other"))
    for action in (queue.get, queue.cancel, queue.replay):
        with pytest.raises(ScicError) as raised:
            await action("acme", "job-two")
        assert raised.value.reason == "JOB_NOT_FOUND"
    assert {(await claimed(queue)).owner.tenant, (await claimed(queue)).owner.tenant} == {"acme", "other"}


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda queue: queue.get("acme", "job-none"), id="get"),
        pytest.param(lambda queue: queue.results("acme", "job-none", start=0, limit=1), id="results"),
        pytest.param(lambda queue: queue.events("acme", "job-none", after=""), id="events"),
        pytest.param(lambda queue: queue.cancel("acme", "job-none"), id="cancel"),
        pytest.param(lambda queue: queue.replay("acme", "job-none"), id="replay"),
        pytest.param(lambda queue: listed(queue, before="job-none"), id="list"),
    ],
)
async def test_what_is_not_there_is_not_found(
    queue: JobQueue, ask: Callable[[JobQueue], Coroutine[Any, Any, object]]
) -> None:
    await queue.submit(submission())
    with pytest.raises(ScicError) as raised:
        await ask(queue)
    assert raised.value.reason == "JOB_NOT_FOUND"


async def test_too_many_that_wait_are_refused(queue: JobQueue) -> None:
    for number in range(MOST):
        await queue.submit(submission(str(number)))
    with pytest.raises(ScicError) as raised:
        await queue.submit(submission("more"))
    assert (raised.value.reason, raised.value.metadata) == ("JOB_QUEUE_FULL", {"limit_jobs": str(MOST)})
    assert (await queue.submit(submission("7")))[1] is False  # it is there
    assert (await queue.submit(submission("0", tenant="other")))[1] is True
    await queue.cancel("acme", "job-7")
    await queue.submit(submission("more"))
    with pytest.raises(ScicError) as raised:
        await queue.replay("acme", "job-7")
    assert raised.value.reason == "JOB_QUEUE_FULL"


async def test_jobs_are_listed_newest_first(queue: JobQueue) -> None:
    names = [str(number) for number in range(MOST)]
    for name in names:
        await queue.submit(submission(name))
    jobs = [stored.job.request_id for stored in await listed(queue)]
    assert jobs == names[::-1]
    assert [stored.job.request_id for stored in await listed(queue, before="job-3")] == ["2", "1", "0"]
    assert await listed(queue, before="job-0") == []
    await queue.submit(submission("late", tenant="other"))
    assert await listed(queue, "nobody") == []


async def test_results_come_in_pages(queue: JobQueue) -> None:
    await queue.submit(submission(items=40))
    claim = await claimed(queue)
    await queue.record(claim, {index: built(index, text="x" * 50 * index) for index in (30, 4, 9, 17, 10)})
    assert [r.index for r in await queue.results("acme", "job-one", start=0, limit=3)] == [4, 9, 10]
    rest = await queue.results("acme", "job-one", start=11, limit=3)
    assert [(r.index, len(r.context.request_id)) for r in rest] == [(17, 850), (30, 1500)]


async def test_one_item_has_one_result(queue: JobQueue) -> None:
    await queue.submit(submission())
    claim = await claimed(queue)
    await queue.record(claim, {0: built(0, text="first")})
    await queue.record(claim, {0: refused(0, errors.EMPTY_DOCUMENT.error("no text")), 1: built(1)})
    job = (await queue.get("acme", "job-one")).job
    assert (job.done_count, job.failed_count) == (2, 0)
    first, _ = await queue.results("acme", "job-one", start=0, limit=2)
    assert first.context.request_id == "first"


async def test_a_job_with_items_left_has_not_succeeded(queue: JobQueue) -> None:
    await queue.submit(submission())
    claim = await claimed(queue)
    await queue.record(claim, {0: built(0)})
    with pytest.raises(ValueError, match="no result"):
        await queue.succeed(claim)
    assert await state(queue) == RUNNING


async def test_a_job_is_forgotten_when_its_retention_is_over(world: World) -> None:
    queue = world.queue
    await queue.submit(submission("one", retention=3600))
    await done(queue, await claimed(queue))
    await queue.submit(submission("waits", retention=3600))
    await world.passes(3599)
    assert await state(queue) == SUCCEEDED
    await world.passes(2)
    with pytest.raises(ScicError) as raised:
        await queue.get("acme", "job-one")
    assert raised.value.reason == "JOB_NOT_FOUND"
    assert [stored.job.request_id for stored in await listed(queue)] == ["waits"]
    again, created = await queue.submit(submission("one", payload=b"other"))
    assert (created, again.job.state, again.job.done_count) == (True, QUEUED, 0)
    assert await queue.results("acme", "job-one", start=0, limit=9) == []
    await world.passes(7200)
    assert len(await listed(queue)) == 2


async def test_an_error_is_kept_whole(queue: JobQueue) -> None:
    error = status_pb2.Status()
    error.CopyFrom(to_status(errors.JOB_NOT_FOUND.error("ä" * 100, metadata={"a": "b"})))
    await queue.submit(submission())
    await queue.fail(await claimed(queue), error, final=True)
    assert (await queue.get("acme", "job-one")).job.error == error
