"""What every queue promises: the one that tests use, and the one in Redis, on a server alone and on a cluster."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from google.rpc import status_pb2

from scic import errors
from scic.errors import ScicError, from_status, to_status
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.ports import Claim, LostClaimError
from tests.contract.job_worlds import (
    LEASE,
    MOST,
    MemoryWorld,
    World,
    built,
    listed,
    owner,
    redis_world,
    refused,
    submission,
)
from tests.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Any

    from services.gateway.jobs.ports import JobQueue

QUEUED, RUNNING, SUCCEEDED = pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED
DEAD, CANCELLED = pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED

BROKEN = to_status(errors.STAGE_UNAVAILABLE.error("the selector does not answer"))
LONGEST_PAUSE = 60.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Valkey]]:
    servers = {
        name: Valkey(tmp_path_factory.mktemp("valkey"), cluster=name == "cluster") for name in ("alone", "cluster")
    }
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.kill()


@asynccontextmanager
async def _open(kind: str, servers: dict[str, Valkey]) -> AsyncIterator[World]:
    if kind == "memory":
        yield MemoryWorld()
        return
    async with redis_world(servers[kind]) as world:
        yield world


@pytest.fixture(params=["memory", "alone", "cluster"])
async def world(request: pytest.FixtureRequest, servers: dict[str, Valkey]) -> AsyncIterator[World]:
    async with _open(request.param, servers) as world:
        yield world


@pytest.fixture
def queue(world: World) -> JobQueue:
    return world.queue


async def claimed(queue: JobQueue) -> Claim:
    claim = await queue.claim("worker")
    assert claim is not None
    return claim


async def done(queue: JobQueue, claim: Claim) -> None:
    await queue.record(claim, {index: built(index) for index in range(claim.job.item_count)})
    await queue.succeed(claim)


async def state(queue: JobQueue, name: str = "one") -> pb.JobState.ValueType:
    return (await queue.get("acme", f"job-{name}")).job.state


async def reason(queue: JobQueue, name: str = "one") -> str:
    return from_status((await queue.get("acme", f"job-{name}")).job.error).reason


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
    assert (job.done_count, job.failed_count) == (2, 1)
    await queue.record(claim, {2: built(2)})
    await queue.succeed(claim)
    job = (await queue.get("acme", "job-one")).job
    assert (job.state, job.done_count, job.failed_count) == (SUCCEEDED, 3, 1)
    assert job.expire_time.ToMilliseconds() - job.end_time.ToMilliseconds() == 3_600_000
    assert [result.index for result in await queue.results("acme", "job-one", start=0, limit=10)] == [0, 1, 2]
    assert await queue.claim("worker") is None


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
    assert await queue.claim("worker") is None
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
    assert raised.value.reason == "JOB_QUEUE_FULL"
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


async def test_the_job_of_a_worker_that_is_gone_is_taken_over(world: World) -> None:
    queue = world.queue
    await queue.submit(submission())
    first = await claimed(queue)
    await queue.record(first, {0: built(0)})
    await world.passes(LEASE - 1)
    assert await queue.claim("another") is None
    await world.passes(2)
    second = await claimed(queue)
    assert second.token != first.token
    assert (second.job.attempt_count, second.done, second.payload) == (2, frozenset({0}), b"payload")
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
        assert await queue.claim("another") is None
        await (queue.heartbeat(claim) if sign == "heartbeat" else queue.record(claim, {index: built(index)}))
    assert (await queue.get("acme", "job-one")).job.attempt_count == 1
    await world.passes(LEASE + 1)
    assert (await claimed(queue)).job.attempt_count == 2


async def test_a_poison_job_dies_and_blocks_nobody(world: World) -> None:
    queue = world.queue
    await queue.submit(submission("poison", priority=5, max_attempts=3))
    await queue.submit(submission("good", priority=1))
    served = list[str]()
    for _ in range(5):
        if claim := await queue.claim("worker"):
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
            if await queue.claim("worker") is None:
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
    assert await queue.claim("worker") is None


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
    assert await queue.claim("worker") is None
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


async def test_priorities_are_served_in_their_shares_and_none_is_starved(queue: JobQueue) -> None:
    for priority in range(1, 6):
        for number in range(10):
            await queue.submit(submission(f"{priority}-{number}", priority=priority))
    served = [(await claimed(queue)).job for _ in range(16)]
    assert Counter(job.priority for job in served) == {5: 8, 4: 4, 3: 2, 2: 1, 1: 1}
    for priority in range(1, 6):
        order = [job.request_id for job in served if job.priority == priority]
        assert order == [f"{priority}-{number}" for number in range(len(order))]
    assert len([await claimed(queue) for _ in range(34)]) == 34
    assert await queue.claim("worker") is None


async def test_a_priority_alone_gets_every_turn(queue: JobQueue) -> None:
    for number in range(20):
        await queue.submit(submission(str(number), priority=2))
    assert [(await claimed(queue)).job.request_id for _ in range(20)] == [str(number) for number in range(20)]


async def test_a_tenants_single_job_does_not_wait_for_anothers_many(world: World) -> None:
    queue = world.queue
    for number in range(40):
        await queue.submit(submission(str(number), tenant="many", priority=5))
    for _ in range(4):
        await claimed(queue)
    await queue.submit(submission("single", tenant="few", priority=1))
    await world.passes(0.1)
    assert (await claimed(queue)).owner.tenant == "few"


async def test_tenants_get_equal_numbers_of_workers(queue: JobQueue) -> None:
    for tenant in ("a", "b", "c"):
        for number in range(20):
            await queue.submit(submission(str(number), tenant=tenant))
    claims = [await claimed(queue) for _ in range(12)]
    assert Counter(claim.owner.tenant for claim in claims) == {"a": 4, "b": 4, "c": 4}
    for claim in claims:
        if claim.owner.tenant == "c":
            await done(queue, claim)
    assert [(await claimed(queue)).owner.tenant for _ in range(4)] == ["c"] * 4


async def test_what_happens_can_be_followed_from_any_position(queue: JobQueue) -> None:
    await queue.submit(submission())
    claim = await claimed(queue)
    await done(queue, claim)
    events = await queue.events("acme", "job-one", after="")
    states = [event.job.state for event in events]
    assert (states[0], states[1], states[-1]) == (QUEUED, RUNNING, SUCCEEDED)
    assert [event.job.job_id for event in events] == ["job-one"] * len(events)
    assert events[-1].job == (await queue.get("acme", "job-one")).job
    for number, event in enumerate(events):
        assert await queue.events("acme", "job-one", after=event.position) == events[number + 1 :]


@pytest.mark.parametrize(
    "position", ["1-1", "0-0", "99999999999999999999-0", "18446744073709551615-18446744073709551615", "x"]
)
async def test_a_position_that_never_was_is_gone(queue: JobQueue, position: str) -> None:
    await queue.submit(submission())
    with pytest.raises(ScicError) as raised:
        await queue.events("acme", "job-one", after=position)
    assert raised.value.reason == "POSITION_GONE"


async def test_events_are_trimmed_and_a_trimmed_position_is_gone(world: World) -> None:
    queue = world.queue
    await queue.submit(submission(items=1000))
    first = (await queue.events("acme", "job-one", after=""))[0].position
    claim = await claimed(queue)
    for index in range(300):
        await world.passes(1.5)
        await queue.record(claim, {index: built(index)})
    events = await queue.events("acme", "job-one", after="")
    assert len(events) == 256
    assert events[-1].job.done_count == 300
    with pytest.raises(ScicError) as raised:
        await queue.events("acme", "job-one", after=first)
    assert raised.value.reason == "POSITION_GONE"


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
    assert await queue.erase_documents("acme", documents, subject) == 1
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


async def test_an_error_is_kept_whole(queue: JobQueue) -> None:
    error = status_pb2.Status()
    error.CopyFrom(to_status(errors.JOB_NOT_FOUND.error("ä" * 100, metadata={"a": "b"})))
    await queue.submit(submission())
    await queue.fail(await claimed(queue), error, final=True)
    assert (await queue.get("acme", "job-one")).job.error == error
