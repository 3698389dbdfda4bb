"""WatchJob over gRPC: all that happens, whatever goes away meanwhile."""

import asyncio
from typing import Any

import grpc
import pytest

from scic import ScicError, errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs import watch
from tests.rpc.jobs_world import MANY, World
from tests.waiting import eventually


async def test_a_watch_tells_all_that_happens_and_ends_with_the_job(world: World) -> None:
    job_id = (await world.submitted(contexts=MANY)).job_id
    watching = asyncio.create_task(world.watch(job_id))
    claim = await world.claim()
    await world.fill(claim, *range(6))
    await asyncio.sleep(0.1)
    await world.fill(claim, *range(6, 12))
    await world.queue.succeed(claim)
    events = await asyncio.wait_for(watching, 10)
    assert [(event.job.state, event.job.done_count) for event in events] == [
        (pb.JOB_STATE_QUEUED, 0),
        (pb.JOB_STATE_RUNNING, 0),
        (pb.JOB_STATE_RUNNING, 6),
        (pb.JOB_STATE_RUNNING, 12),
        (pb.JOB_STATE_SUCCEEDED, 12),
    ]
    for number, event in enumerate(events, start=1):
        assert await world.watch(job_id, position=event.position) == events[number:]


async def test_a_watch_goes_on_where_a_job_is_replayed(world: World) -> None:
    job_id = (await world.submitted()).job_id
    await world.queue.cancel("acme", job_id)
    await world.queue.replay("acme", job_id)
    watching = asyncio.create_task(world.watch(job_id))
    await asyncio.sleep(0.2)
    assert not watching.done()
    await world.queue.cancel("acme", job_id)
    states = [event.job.state for event in await asyncio.wait_for(watching, 10)]
    assert states == [pb.JOB_STATE_QUEUED, pb.JOB_STATE_CANCELLED] * 2


async def test_a_watch_needs_no_word_of_what_happens(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 1.0)
    job_id = (await world.submitted()).job_id
    watching = asyncio.create_task(world.watch(job_id))
    await asyncio.sleep(0.1)
    monkeypatch.setattr(world.signals, "speak", lambda _: None)
    await world.queue.cancel("acme", job_id)
    assert (await asyncio.wait_for(watching, 10))[-1].job.state == pb.JOB_STATE_CANCELLED


@pytest.mark.parametrize(("failures", "goes_on"), [(4, True), (5, False)])
async def test_a_watch_outlives_a_queue_that_is_away_for_some_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch, failures: int, goes_on: bool
) -> None:
    monkeypatch.setattr(watch, "_PAUSE_SECONDS", 0.01)
    job_id = (await world.submitted()).job_id
    call = world.stub.WatchJob(pb.WatchJobRequest(job_id=job_id), metadata=world.metadata("hr"))
    await call.read()
    events, left = world.queue.events, iter(range(failures))

    async def failing(*args: Any, **fields: Any) -> Any:
        if next(left, None) is not None:
            raise errors.QUEUE_UNAVAILABLE.error("away")
        return await events(*args, **fields)

    monkeypatch.setattr(world.queue, "events", failing)
    await world.queue.cancel("acme", job_id)
    if goes_on:
        assert (await asyncio.wait_for(call.read(), 10)).job.state == pb.JOB_STATE_CANCELLED
    else:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(call.read(), 10)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_watch_ends_with_its_server_and_another_one_goes_on(world: World) -> None:
    job_id = (await world.submitted()).job_id
    call = world.stub.WatchJob(pb.WatchJobRequest(job_id=job_id), metadata=world.metadata("hr"))
    first = await call.read()
    world.is_leaving = True
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call.read(), 10)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    world.is_leaving = False
    await world.queue.cancel("acme", job_id)
    (last,) = await world.watch(job_id, position=first.position)
    assert last.job.state == pb.JOB_STATE_CANCELLED


async def test_a_watcher_that_leaves_is_not_waited_for(world: World) -> None:
    job_id = (await world.submitted()).job_id
    call = world.stub.WatchJob(pb.WatchJobRequest(job_id=job_id), metadata=world.metadata("hr"))
    assert (await call.read()).job.job_id == job_id
    assert world.signals._waiting
    call.cancel()
    await eventually("nobody waits any more", lambda: not world.signals._waiting, within=5)


async def test_a_watch_from_a_position_that_is_gone_says_so(world: World) -> None:
    job_id = (await world.submitted()).job_id
    with pytest.raises(ScicError) as caught:
        await world.watch(job_id, position="1-1")
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.OUT_OF_RANGE, "POSITION_GONE")
