"""Jobs done by processes that are killed and paused, on a server that is killed: the history afterwards is that of one
worker that never failed."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from scic.errors import ScicError, from_status
from scic.gateway.v1 import job_service_pb2 as pb
from tests.contract.job_process import LEASE, POISON
from tests.contract.job_worlds import client, listed, redis_queue, submission
from tests.valkey import ALONE, CLUSTER, Valkey
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.gateway.jobs.ports import JobQueue

_ROOT = Path(__file__).resolve().parents[2]
_ITEMS = 4
_JOBS = {"many": 150, "some": 30, "few": 10}
_WORKERS = 4


class Fleet:
    """Worker processes, and what they wrote."""

    def __init__(self, server: Valkey, directory: Path) -> None:
        self._server = server
        self._journal = directory / "journal"
        self._numbers = itertools.count()
        self.running: list[subprocess.Popen[bytes]] = []
        """The first of them is `worker-0` until it is gone."""
        self.killed = 0

    def fill(self) -> None:
        """Replaces workers that are gone."""
        gone = [process for process in self.running if process.poll() is not None]
        self.killed += len(gone)
        self.running = [process for process in self.running if process.returncode is None]
        while len(self.running) < _WORKERS:
            kind = "cluster" if self._server.cluster else "alone"
            args = [self._server.url, kind, f"worker-{next(self._numbers)}", str(self._journal)]
            self.running.append(
                subprocess.Popen([sys.executable, "-m", "tests.contract.job_process", *args], cwd=_ROOT)
            )

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def history(self) -> list[dict[str, Any]]:
        if not self._journal.exists():
            return []
        return [json.loads(line) for line in self._journal.read_text().splitlines()]


@pytest.fixture(params=[ALONE, CLUSTER])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path, cluster=request.param) as valkey:
        yield valkey


@pytest.fixture
def fleet(server: Valkey, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(server, tmp_path)
    yield fleet
    fleet.stop()


async def test_whatever_dies_every_job_is_done_once(server: Valkey, fleet: Fleet) -> None:
    async with client(server) as redis:
        # What is tested is the queue: with `everysec` the server itself may lose what it acknowledged.
        await redis.config_set("appendfsync", "always")
        queue = redis_queue(redis, lease=LEASE, most=10_000)
        for tenant, count in _JOBS.items():
            for number in range(count):
                await queue.submit(_job(f"{tenant}-{number}", tenant, priority=number % 5 + 1))
        await _disturb(server, fleet, queue)
        await eventually("all jobs have ended", lambda: _all_ended(queue, fleet))
        fleet.stop()
        history = fleet.history()
        await _check(queue, history)
        assert fleet.killed >= 4
        assert not await redis.exists(*(f"scic-jobs:{{many}}:{name}" for name in ("delayed", "leases", "running")))
        assert [await redis.xlen(f"scic-jobs:{{many}}:queue:{priority}") for priority in range(1, 6)] == [0] * 5


def _job(name: str, tenant: str, priority: int) -> Any:
    return submission(name, tenant=tenant, items=_ITEMS, priority=priority, max_attempts=10, payload=name.encode())


async def _disturb(server: Valkey, fleet: Fleet, queue: JobQueue) -> None:
    """Pauses a worker beyond its lease, kills another one each second, and the server once."""
    random = Random(7)
    fleet.fill()
    await eventually("workers are at it", lambda: ("worker-0", "record") in _reports(fleet.history()))
    paused = fleet.running[0]
    os.kill(paused.pid, signal.SIGSTOP)
    await queue.submit(submission("poison", tenant="few", payload=POISON, max_attempts=2))
    for second in range(4):
        await asyncio.sleep(1)
        random.choice(fleet.running[1:]).kill()
        if second == 1:
            server.kill()
            await asyncio.sleep(0.5)
            server.start()
        fleet.fill()
    await eventually("its jobs were taken over", lambda: _taken_over(fleet.history(), "worker-0"))
    os.kill(paused.pid, signal.SIGCONT)
    await eventually("it was told so", lambda: ("worker-0", "lost") in _reports(fleet.history()))


def _taken_over(history: list[dict[str, Any]], worker: str) -> bool:
    claims = [line for line in history if line["what"] == "claim"]
    held = {line["job"] for line in claims if line["worker"] == worker}
    return any(line["job"] in held and line["worker"] != worker for line in claims)


def _reports(history: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(line["worker"], line["what"]) for line in history}


async def _all_ended(queue: JobQueue, fleet: Fleet) -> bool:
    fleet.fill()
    try:
        jobs = [stored.job for tenant in _JOBS for stored in await listed(queue, tenant)]
    except ScicError:
        return False
    return all(job.state in {pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_DEAD} for job in jobs)


async def _check(queue: JobQueue, history: list[dict[str, Any]]) -> None:
    claims, effects, stale = defaultdict[str, list[str]](list), dict[tuple[str, int], str](), set[str]()
    for line in history:
        if line["what"] == "claim":
            claims[line["job"]].append(line["token"])
        elif line["what"] == "record":
            assert (line["job"], line["index"]) not in effects, "an item was done twice"
            effects[line["job"], line["index"]] = line["token"]
        elif line["what"] == "stale":
            stale.add(line["call"])
    for tenant, count in _JOBS.items():
        jobs = [stored.job for stored in await listed(queue, tenant)]
        assert len([job for job in jobs if job.request_id != "poison"]) == count
        for job in jobs:
            if job.request_id == "poison":
                assert (job.state, from_status(job.error).reason) == (pb.JOB_STATE_DEAD, "JOB_ABANDONED")
                assert len(claims[job.job_id]) == job.attempt_count == 2
                continue
            assert (job.state, job.done_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, _ITEMS, 0)
            results = await queue.results(tenant, job.job_id, start=0, limit=100)
            assert [result.index for result in results] == list(range(_ITEMS))
            for result in results:
                call = result.context.request_id
                token = call.split()[0]
                assert token in claims[job.job_id], "a result of an attempt that nobody made"
                # A worker may have died between the record and its line in the journal.
                assert effects.get((job.job_id, result.index), token) == token
                assert call not in stale, "an effect under a stale token"
    begun = _begun(history)
    # Not of all: a claim whose answer was lost is given again, when Redis is back.
    most = {tenant: _most([place for place, name in enumerate(begun) if name == tenant]) for tenant in _JOBS}
    assert most["few"] < most["some"] < most["many"], "a small tenant waited for a large one"


def _most(places: list[int]) -> int:
    """By when four fifths had begun."""
    return places[len(places) * 4 // 5]


def _begun(history: list[dict[str, Any]]) -> list[str]:
    """Tenants of jobs, in the order in which the jobs were claimed first."""
    first = dict[str, str]()
    for line in history:
        # A worker may have died between its claim and its line; then the next claim is another attempt. The poison
        # came in later than the others.
        if line["what"] == "claim" and line["attempt"] == 1 and line["job"] != "job-poison":
            first.setdefault(line["job"], line["tenant"])
    return [*first.values()]
