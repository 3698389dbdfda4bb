"""What every queue promises to those who watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scic.errors import ScicError
from tests.contract.job_worlds import (
    QUEUED,
    RUNNING,
    SUCCEEDED,
    World,
    built,
    claimed,
    done,
    submission,
)

if TYPE_CHECKING:
    from services.gateway.jobs.ports import JobQueue


@pytest.fixture
def world(any_world: World) -> World:
    return any_world


@pytest.fixture
def queue(world: World) -> JobQueue:
    return world.queue


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
