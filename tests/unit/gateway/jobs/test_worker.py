"""Workers: every item once, whatever fails, hangs, leaves or is taken away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.chassis import metrics
from services.gateway.callers.principal import Principal, Role
from services.gateway.jobs import backoff
from services.gateway.jobs.ports import Claim
from services.gateway.jobs.submission import submission_of
from tests.unit.gateway.jobs.world import ANNA, BEN, BOTH, UNAVAILABLE, Gate, World, fails
from tests.waiting import eventually

CALLERS_FAULT = errors.UNKNOWN_MODEL.error("no such model", field_violations=[("model", "must be known")])


def count(kind: str, outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("context_jobs_total", {"kind": kind, "outcome": outcome}) or 0.0


def reason_of(job: pb.Job) -> str:
    return errors.from_status(job.error).reason


def indices(results: list[pb.JobResult], outcome: str) -> list[int]:
    return [result.index for result in results if result.WhichOneof("outcome") == outcome]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which jobs do not wait for long between two attempts."""
    monkeypatch.setattr(backoff, "BASE_SECONDS", 0.4)
    return World()


async def test_every_item_gets_a_result_and_is_named_by_the_job(world: World) -> None:
    before = count("contexts", "succeeded")
    async with world.worker():
        job_id = await world.ask(*"abcdefghij")
        job = await world.ended(job_id)
    assert (job.state, job.done_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 10, 0)
    results = await world.results(job_id)
    assert [result.context.request_id for result in results] == [f"job:{number}" for number in range(10)]
    assert world.contexts.most_at_once == 4
    assert count("contexts", "succeeded") == before + 1


async def test_what_the_caller_did_wrong_is_the_items_result_and_the_job_succeeds(world: World) -> None:
    world.contexts.behaviours["b"] = fails(error=CALLERS_FAULT)
    async with world.worker():
        job_id = await world.ask("a", "b", "c")
        job = await world.ended(job_id)
    assert (job.state, job.done_count, job.failed_count, job.attempt_count) == (pb.JOB_STATE_SUCCEEDED, 3, 1, 1)
    results = await world.results(job_id)
    assert indices(results, "error") == [1]
    assert errors.from_status(results[1].error) == CALLERS_FAULT


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(errors.STAGE_UNAVAILABLE.error("away"), id="away"),
        pytest.param(errors.DEADLINE_EXCEEDED.error("late"), id="late"),
        pytest.param(RuntimeError("a bug"), id="a bug"),
    ],
)
async def test_what_another_attempt_may_mend_is_tried_again_and_nothing_else_is_done_twice(
    world: World, error: Exception
) -> None:
    world.contexts.behaviours["b"] = fails(1, 2, error=error)
    async with world.worker():
        job = await world.ended(job_id := await world.ask("a", "b", "c", max_attempts=3))
    assert (job.state, job.attempt_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 3, 0)
    assert world.contexts.begun == {"a": 1, "b": 3, "c": 1}
    assert indices(await world.results(job_id), "context") == [0, 1, 2]


async def test_what_a_stage_has_no_room_for_is_tried_again_and_counts_as_no_attempt(world: World) -> None:
    world.contexts.behaviours["b"] = fails(1, 2, error=errors.OVERLOADED.error("busy"))
    async with world.worker():
        job = await world.ended(await world.ask("a", "b", "c", max_attempts=1))
    assert (job.state, job.attempt_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 1, 0)
    assert world.contexts.begun == {"a": 1, "b": 3, "c": 1}


async def test_a_failure_beside_a_want_of_room_counts(world: World) -> None:
    world.contexts.behaviours = {"a": fails(error=errors.OVERLOADED.error("busy")), "b": later}
    async with world.worker():
        job = await world.ended(await world.ask("a", "b", max_attempts=2))
    assert (job.state, job.attempt_count, reason_of(job)) == (pb.JOB_STATE_DEAD, 2, "STAGE_UNAVAILABLE")


async def later(number: int) -> None:
    await asyncio.sleep(0.05)
    raise UNAVAILABLE


async def test_after_the_last_attempt_it_is_dead_with_what_is_done_and_a_replay_does_the_rest(world: World) -> None:
    world.contexts.behaviours["b"] = fails(1, 2)
    async with world.worker():
        job = await world.ended(job_id := await world.ask("a", "b", "c", max_attempts=2))
        assert (job.state, job.done_count, reason_of(job)) == (pb.JOB_STATE_DEAD, 2, "STAGE_UNAVAILABLE")
        await world.queue.replay("acme", job_id)
        job = await world.ended(job_id)
    assert (job.state, job.done_count) == (pb.JOB_STATE_SUCCEEDED, 3)
    assert world.contexts.begun == {"a": 1, "b": 3, "c": 1}


async def test_where_nothing_but_failures_come_the_rest_of_a_long_batch_is_not_begun(world: World) -> None:
    questions = [f"q{number}" for number in range(100)]
    world.contexts.behaviours = dict.fromkeys(questions, fails())
    async with world.worker():
        job = await world.ended(await world.ask(*questions, max_attempts=1))
    assert job.state == pb.JOB_STATE_DEAD
    assert len(world.contexts.begun) < 16


@pytest.mark.parametrize(("attempts", "begun"), [(1, 1), (3, 3)])
async def test_a_degraded_context_is_kept_only_where_there_is_no_further_attempt(
    world: World, attempts: int, begun: int
) -> None:
    world.contexts.degraded = {"a"}
    async with world.worker():
        job = await world.ended(job_id := await world.ask("a", "b", max_attempts=attempts))
    assert job.state == pb.JOB_STATE_SUCCEEDED
    assert world.contexts.begun == {"a": begun, "b": 1}
    assert [len(result.context.degradations) for result in await world.results(job_id)] == [1, 0]


async def test_a_context_that_heeds_no_deadline_is_given_up_and_the_others_are_done() -> None:
    world = World(context_seconds=0.3)
    world.contexts.behaviours["a"] = Gate()
    async with world.worker():
        job = await world.ended(await world.ask("a", "b", max_attempts=2))
    assert (job.state, job.done_count, reason_of(job)) == (pb.JOB_STATE_DEAD, 1, "DEADLINE_EXCEEDED")
    assert world.contexts.cancelled == ["a", "a"]


async def test_a_poison_job_blocks_no_other_and_dies_after_its_attempts(world: World) -> None:
    request = pb.SubmitJobRequest(request_id="poison", contexts=pb.ContextBatch())
    poison = replace(submission_of(ANNA, request, max_bytes=1024), payload=b"\xff no message")
    await world.queue.submit(poison)
    async with world.worker(places=1):
        good = await world.ask("a", name="good")
        assert (await world.ended(good)).state == pb.JOB_STATE_SUCCEEDED
        job = await world.ended(poison.job_id)
    assert (job.state, job.attempt_count, reason_of(job)) == (pb.JOB_STATE_DEAD, 3, "INTERNAL")


async def test_a_cancelled_job_is_given_up_at_once_and_reaches_what_was_asked_of_the_stages(world: World) -> None:
    world.contexts.behaviours["a"] = gate = Gate()
    async with world.worker():
        job_id = await world.ask("a")
        await gate.reached.wait()
        before = count("contexts", "lost")
        await world.queue.cancel("acme", job_id)
        # Far sooner than the next heartbeat, which is five seconds away.
        await eventually("it was cancelled", lambda: world.contexts.cancelled == ["a"], within=2)
        await eventually("the place is free", lambda: count("contexts", "lost") == before + 1, within=2)
        assert (await world.job(job_id)).state == pb.JOB_STATE_CANCELLED


async def test_a_worker_whose_job_was_taken_over_stops_and_keeps_nothing(world: World) -> None:
    world = World(lease_seconds=0.3)
    world.contexts.behaviours["a"] = gate = Gate()
    job_id = await world.ask("a")
    claim = await world.queue.claim()
    assert claim is not None
    async with world.worker():
        await gate.reached.wait()
        assert (await world.job(job_id)).attempt_count == 2
        gate.opened.set()
        assert (await world.ended(job_id)).state == pb.JOB_STATE_SUCCEEDED
    assert world.contexts.begun == {"a": 1}


async def test_a_long_job_keeps_its_lease_as_long_as_its_worker_lives() -> None:
    world = World(lease_seconds=0.3)
    world.contexts.behaviours["a"] = gate = Gate()
    async with world.worker(), world.worker():
        job_id = await world.ask("a")
        await gate.reached.wait()
        await asyncio.sleep(1)
        gate.opened.set()
        job = await world.ended(job_id)
    assert (job.attempt_count, world.contexts.begun["a"]) == (1, 1)


async def test_a_worker_that_stops_finishes_what_it_can_and_gives_back_the_rest_uncounted(world: World) -> None:
    world.contexts.behaviours["stuck"] = gate = Gate()
    async with world.worker(places=2, grace_seconds=0.3):
        quick = await world.ask("a", name="quick")
        stuck = await world.ask("done", "stuck", name="stuck")
        await gate.reached.wait()
        await eventually("one is kept", lambda: done(world, stuck, 1))
    assert (await world.job(quick)).state == pb.JOB_STATE_SUCCEEDED
    job = await world.job(stuck)
    assert (job.state, job.attempt_count, job.done_count) == (pb.JOB_STATE_QUEUED, 0, 1)
    gate.opened.set()
    async with world.worker():
        assert (await world.ended(stuck)).state == pb.JOB_STATE_SUCCEEDED
    assert world.contexts.begun == {"a": 1, "done": 1, "stuck": 2}


async def done(world: World, job_id: str, number: int) -> bool:
    return (await world.job(job_id)).done_count == number


async def test_a_stopped_worker_takes_nothing_more(world: World) -> None:
    async with world.worker():
        pass
    job_id = await world.ask("a")
    await asyncio.sleep(0.7)
    assert (await world.job(job_id)).state == pb.JOB_STATE_QUEUED


async def test_while_the_queue_is_away_work_waits_and_it_goes_on_when_it_is_back(world: World) -> None:
    world.contexts.behaviours["a"] = gate = Gate()
    async with world.worker():
        job_id = await world.ask("a", "b")
        await gate.reached.wait()
        world.queue.unavailable = True
        gate.opened.set()
        await asyncio.sleep(1.2)
        assert world.contexts.cancelled == []
        world.queue.unavailable = False
        assert (await world.ended(job_id)).state == pb.JOB_STATE_SUCCEEDED
        assert (await world.ended(await world.ask("c", name="next"))).state == pb.JOB_STATE_SUCCEEDED
    assert world.contexts.begun == {"a": 1, "b": 1, "c": 1}


async def test_a_claim_that_meets_a_bug_does_not_end_the_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, tries = world.queue.claim, 0

    async def broken() -> Claim | None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError("cannot be read")
        return await claim()

    monkeypatch.setattr(world.queue, "claim", broken)
    async with world.worker():
        assert (await world.ended(await world.ask("a"))).state == pb.JOB_STATE_SUCCEEDED


async def test_an_attempt_that_meets_a_bug_of_the_worker_is_logged_and_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed, tries = world.queue.succeed, 0

    async def broken(claim: Claim) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError("cannot be read")
        await succeed(claim)

    monkeypatch.setattr(world.queue, "succeed", broken)
    with capture_logs() as logs:
        async with world.worker():
            job = await world.ended(await world.ask("a"))
    assert (job.state, job.attempt_count) == (pb.JOB_STATE_SUCCEEDED, 1)
    assert isinstance(next(line["exc_info"] for line in logs if line["event"] == "attempt_failed"), ValueError)


async def test_a_long_job_makes_room_between_two_items_when_others_wait() -> None:
    world = World(turn_seconds=0.2)
    questions = [f"q{number}" for number in range(60)]
    world.contexts.behaviours = dict.fromkeys(questions, takes_a_while)
    async with world.worker(places=1):
        long = await world.ask(*questions, name="long", max_attempts=1)
        await eventually("it is begun", lambda: world.contexts.at_once > 0)
        short = await world.ended(await world.ask("a", name="short"))
        assert (await world.job(long)).done_count < 60
        job = await world.ended(long)
    assert (short.state, job.state, job.attempt_count) == (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_SUCCEEDED, 1)
    assert set(world.contexts.begun.values()) == {1}, "what was under way is finished"


async def takes_a_while(number: int) -> None:
    await asyncio.sleep(0.1)


async def test_of_several_long_jobs_no_more_make_room_than_others_wait() -> None:
    world = World(turn_seconds=0.2)
    gates = {question: Gate() for question in ("a", "b", "short")}
    world.contexts.behaviours.update(gates)
    before = count("contexts", "released")
    async with world.worker(places=2) as worker:
        long = [await world.ask(*question * 8, name=question) for question in "ab"]
        await gates["a"].reached.wait()
        await gates["b"].reached.wait()
        short = await world.ask("short", name="short")
        await eventually("one is told", lambda: bool(worker._leaving))
        await asyncio.sleep(0.3)
        for question in "ab":
            gates[question].opened.set()
        await gates["short"].reached.wait()
        gates["short"].opened.set()
        jobs = [await world.ended(job_id) for job_id in (*long, short)]
    assert {(job.state, job.attempt_count) for job in jobs} == {(pb.JOB_STATE_SUCCEEDED, 1)}
    assert count("contexts", "released") == before + 1


async def test_no_more_jobs_at_a_time_than_there_are_places(world: World) -> None:
    world.contexts.behaviours = dict.fromkeys("abc", gate := Gate())
    async with world.worker(places=2):
        jobs = [await world.ask(question, name=question) for question in "abc"]
        await eventually("two are begun", lambda: world.contexts.at_once == 2)
        await asyncio.sleep(0.7)
        assert world.contexts.at_once == 2
        gate.opened.set()
        assert {(await world.ended(job)).state for job in jobs} == {pb.JOB_STATE_SUCCEEDED}


@pytest.mark.parametrize(
    ("present", "reason"),
    [
        pytest.param([BEN], "INVALID_CREDENTIAL", id="the key is gone"),
        pytest.param([Principal("anna", "other", BOTH)], "INVALID_CREDENTIAL", id="it is another tenant's"),
        pytest.param([Principal("anna", "acme", frozenset({Role.READER}))], "ROLE_REQUIRED", id="it lost the role"),
    ],
)
async def test_a_job_whose_key_may_not_do_it_any_more_is_dead(present: list[Principal], reason: str) -> None:
    world = World(*present)
    async with world.worker():
        job = await world.ended(await world.bring(("a.md", "text"), max_attempts=5))
    assert (job.state, job.attempt_count, reason_of(job)) == (pb.JOB_STATE_DEAD, 1, reason)
    assert world.ingester.stored == {}


async def test_a_job_is_done_with_what_the_key_may_do_now_and_might_do_then() -> None:
    world = World(Principal("anna", "acme", BOTH, sees_all=True, trusted=True))
    async with world.worker():
        await world.ended(await world.ask("a"))
    ((owner, _),) = world.contexts.asked
    assert (owner.groups, owner.sees_all, owner.trusted) == (frozenset({"hr"}), False, False)


async def test_documents_go_in_in_batches_and_bad_ones_are_named(world: World) -> None:
    documents = [(f"d{number}", "text") for number in range(70)]
    world.ingester.behaviours["d5"] = fails(error=errors.EMPTY_DOCUMENT.error("it is empty"))
    async with world.worker():
        job = await world.ended(job_id := await world.bring(*documents, ("bad\nid", "text")))
    assert (job.state, job.done_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 71, 2)
    results = await world.results(job_id)
    assert indices(results, "error") == [5, 70]
    assert errors.from_status(results[70].error).field_violations[0].field == "document.document_id"
    assert sorted(map(len, world.ingester.batches)) == [6, 32, 32]


async def test_documents_that_failed_for_a_stages_sake_alone_are_tried_again(world: World) -> None:
    world.ingester.behaviours["b"] = fails(1)
    async with world.worker():
        job = await world.ended(await world.bring(("a", "1"), ("b", "2"), ("c", "3")))
    assert (job.state, job.attempt_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 2, 0)
    assert world.ingester.begun == {"a": 1, "b": 2, "c": 1}


async def test_a_worker_that_lost_its_job_stores_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that was paused beyond its lease: it has not heard of it, and is about to write."""
    world.ingester.behaviours["a.md"] = gate = Gate()
    left = list[Claim]()
    async with world.worker():
        job_id = await world.bring(("a.md", "old"))
        await gate.reached.wait()
        monkeypatch.setattr(world.signals, "speak", lambda _: None)  # nobody tells it
        await world.queue.erase_documents("acme", ["a.md"], "")
        monkeypatch.setattr(world.queue, "leave", keeping(left))
        gate.opened.set()
        await eventually("it says that it has stopped", lambda: [one.job.job_id for one in left] == [job_id])
    assert world.ingester.stored == {}


def keeping(left: list[Claim]) -> Callable[[Claim], Awaitable[None]]:
    async def leave(claim: Claim) -> None:
        left.append(claim)

    return leave


async def test_of_a_document_that_comes_twice_the_last_one_stays_whichever_failed_first(world: World) -> None:
    world.ingester.behaviours["a"] = fails(1)
    async with world.worker():
        job = await world.ended(job_id := await world.bring(("a", "old"), ("b", "text"), ("a", "new")))
    assert (job.state, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 0)
    assert world.ingester.stored == {"a": b"new", "b": b"text"}
    assert world.ingester.begun == {"a": 3, "b": 1}
    assert indices(await world.results(job_id), "document") == [0, 1, 2]
