"""`python -m benchmarks.gateway.jobs`: ten thousand jobs, while one of four workers is killed every two seconds."""

import asyncio
import itertools
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from benchmarks.gateway.bed import Bed, MeasureError, run
from benchmarks.gateway.fleet import Member, fleet
from benchmarks.report import Figure, at_most, exactly
from scic.client import Client
from scic.gateway.v1 import job_service_pb2 as pb
from scic.gateway.v1.context_service_pb2 import BuildContextRequest

JOBS = 10_000
QUESTIONS = 64
"""Different ones, so that most jobs are answered by the cache and the queue is what is measured."""
WORKERS = 4
LEASE_SECONDS = 3
KILL_EVERY_SECONDS = 2.0
CONCURRENCY = 32
ATTEMPTS = 10
"""Of a job: one that is killed again and again is no poison."""
_WITHIN_SECONDS = 600.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the mesh says of one job when all is over."""

    job: pb.Job
    results: int
    successes: int
    """Events that say that it succeeded."""
    take_overs: Sequence[float]
    """Seconds from the last word of an attempt that was left behind to the word that it was noticed."""


def measure(bed: Bed) -> list[Figure]:
    """Submit all while workers come and go, wait for the end, then look at each job, its results and its events."""
    settings = {"SCIC_GATEWAY_ROLE": "worker", "SCIC_GATEWAY_JOB_LEASE_SECONDS": str(LEASE_SECONDS)}
    with fleet(bed, WORKERS, settings) as workers:
        kept, seconds, kills = uvloop.run(_measure(bed, workers))
    states = Counter(pb.JobState.Name(one.job.state) for one in kept)
    bed.say(f"{kills} workers were killed; {dict(states)}")
    slept = [seconds for one in kept for seconds in one.take_overs]
    if not slept:
        raise MeasureError("No worker was killed while it had a job.")
    unfinished = sum(one.job.state != pb.JOB_STATE_SUCCEEDED for one in kept)
    twice = sum(one.results != 1 or one.successes != 1 or one.job.done_count != 1 for one in kept)
    name = f"{JOBS:,} jobs, {WORKERS} workers, one killed every {KILL_EVERY_SECONDS:g} s"
    return [
        Figure(f"{name}: kept", len(kept), "jobs", exactly(JOBS)),
        Figure(f"{name}: not done", unfinished, "jobs", at_most(0)),
        Figure(f"{name}: not exactly one result and one success", twice, "jobs", at_most(0)),
        Figure(f"{name}: items that failed", sum(one.job.failed_count for one in kept), "items", at_most(0)),
        Figure("jobs taken over", len(slept), ""),
        Figure(f"slowest take-over at a lease of {LEASE_SECONDS} s", max(slept), "s", at_most(LEASE_SECONDS + 1)),
        Figure("workers killed", kills, ""),
        Figure("jobs done", JOBS / seconds, "jobs/s"),
    ]


async def _measure(bed: Bed, workers: Sequence[Member]) -> tuple[list[_Kept], float, int]:
    requests = bed.cold(QUESTIONS)
    async with Client(bed.mesh.edge, api_key=bed.mesh.api_key) as client:
        killer = asyncio.create_task(_kill(workers))
        start = time.perf_counter()
        try:
            ids = await _submit(client, requests)
            bed.say(f"Submitted {len(ids)} jobs in {time.perf_counter() - start:.0f} s")
            await _until_done(client, killer)
            seconds = time.perf_counter() - start
        finally:
            killer.cancel()
            await asyncio.wait({killer})
        kills = sum(worker.starts for worker in workers) - len(workers)
        return await _look(client, ids), seconds, kills


async def _kill(workers: Sequence[Member]) -> None:
    """The one that has been up for longest, started again at once, unless it is the only one that is up."""
    turn = deque(workers)
    while True:
        await asyncio.sleep(KILL_EVERY_SECONDS)
        up = [worker for worker in turn if await worker.is_up()]
        if len(up) > 1:
            turn.remove(up[0])
            turn.append(up[0])
            up[0].kill()
            up[0].start()


async def _submit(client: Client, requests: Sequence[BuildContextRequest]) -> list[str]:
    ids: list[str] = []
    left = iter(range(JOBS))

    async def one_after_another() -> None:
        for number in left:
            response = await client.submit_contexts([requests[number % len(requests)]], max_attempts=ATTEMPTS)
            ids.append(response.job.job_id)

    await asyncio.gather(*(one_after_another() for _ in range(CONCURRENCY)))
    return ids


async def _until_done(client: Client, killer: asyncio.Task[None]) -> None:
    deadline = time.monotonic() + _WITHIN_SECONDS
    for state in ("queued", "running", "queued", "running"):
        while await anext(client.list_jobs(state=state, page_size=1), None) is not None:
            if killer.done():
                killer.result()
            if time.monotonic() > deadline:
                raise MeasureError(f"Jobs were still {state} after {_WITHIN_SECONDS:g} s.")
            await asyncio.sleep(_LOOK_SECONDS)


async def _look(client: Client, ids: Sequence[str]) -> list[_Kept]:
    kept: list[_Kept] = []
    left = iter(ids)

    async def one_after_another() -> None:
        for job_id in left:
            results = [result async for result in client.job_results(job_id)]
            events = [event async for event in client.watch_job(job_id)]
            kept.append(
                _Kept(
                    job=events[-1].job if events else await client.get_job(job_id),
                    results=len(results),
                    successes=sum(event.job.state == pb.JOB_STATE_SUCCEEDED for event in events),
                    take_overs=take_overs(events),
                )
            )

    await asyncio.gather(*(one_after_another() for _ in range(CONCURRENCY)))
    return kept


def take_overs(events: Sequence[pb.WatchJobResponse]) -> list[float]:
    """How long each attempt that ended without a word lay there, in seconds.

    From its last event to the next one, which begins another attempt or puts the job back in line: a job that lost its
    worker twice in a row waits before it is tried again. Positions begin with the milliseconds of the queue's clock.
    """
    return [
        (_milliseconds(after) - _milliseconds(before)) / 1e3
        for before, after in itertools.pairwise(events)
        if before.job.state == pb.JOB_STATE_RUNNING and _is_left(before.job, after.job)
    ]


def _is_left(before: pb.Job, after: pb.Job) -> bool:
    """Whether the attempt of `before` ended by no word of its worker's."""
    if after.state == pb.JOB_STATE_RUNNING:
        return after.attempt_count != before.attempt_count
    return after.state == pb.JOB_STATE_QUEUED and not after.HasField("error")


def _milliseconds(event: pb.WatchJobResponse) -> int:
    return int(event.position.partition("-")[0])


if __name__ == "__main__":
    sys.exit(run("Jobs", "gateway_jobs", [("Jobs while workers die", measure)]))
