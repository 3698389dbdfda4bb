"""What every queue promises to those who wait: priorities and tenants in their turns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from services.gateway.jobs.ports import LostClaimError
from tests.contract.job_worlds import (
    BROKEN,
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
    assert await queue.claim() is None


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


async def test_what_is_given_back_to_the_end_goes_behind_those_that_wait(queue: JobQueue) -> None:
    for name in ("long", "a", "b"):
        await queue.submit(submission(name, max_attempts=1))
    claim = await claimed(queue)
    await queue.record(claim, {0: built(0)})
    await queue.release(claim, last=True)
    await queue.release(claim, last=True)  # the answer may have been lost
    with pytest.raises(LostClaimError):
        await queue.heartbeat(claim)
    assert [(await claimed(queue)).job.request_id for _ in range(2)] == ["a", "b"]
    again = await claimed(queue)
    assert (again.job.request_id, again.job.attempt_count, again.done) == ("long", 1, frozenset({0}))
    assert await queue.claim() is None


async def test_whether_somebody_waits_can_be_asked(world: World) -> None:
    queue = world.queue
    assert not await queue.is_anyone_waiting()
    await queue.submit(submission())
    claim = await claimed(queue)
    assert not await queue.is_anyone_waiting()
    await queue.submit(submission(tenant="other"))
    await world.passes(1)
    assert await queue.is_anyone_waiting()
    other = await claimed(queue)
    assert not await queue.is_anyone_waiting()
    await queue.fail(other, BROKEN, final=False)
    await queue.release(claim)
    assert await queue.is_anyone_waiting()
