"""Workers and Valkey are killed, paused and restarted in the middle of a batch: every item is done, and counts once."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from urllib.request import urlopen

import pytest
import pytest_asyncio

from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as pb
from scic.mesh.state import ProcessRecord
from tests.jobs_api import Jobs, jobs_of, notes
from tests.laptop import LaptopMesh, kill, start_mesh
from tests.waiting import LONG, eventually

pytestmark = pytest.mark.e2e

TENANTS = ("killed", "paused", "restarted", "without", "watched-killed", "watched-paused")
ITEMS = 400
STORED = {corpus_pb.IngestDocumentsResponse.OUTCOME_INDEXED, corpus_pb.IngestDocumentsResponse.OUTCOME_UNCHANGED}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopMesh]:
    """A mesh with two workers that each test breaks and leaves healthy."""
    running = start_mesh(tmp_path_factory.mktemp("mesh"), TENANTS, workers=2)
    yield running
    running.down()


@pytest_asyncio.fixture
async def jobs(mesh: LaptopMesh, request: pytest.FixtureRequest) -> AsyncIterator[Jobs]:
    """The jobs of the tenant that the test is marked with."""
    async with jobs_of(mesh.address, mesh.key_of(request.param)) as jobs:
        yield jobs


def of(tenant: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("jobs", [tenant], indirect=True)


async def begun(jobs: Jobs) -> str:
    """A job of which some items are done, but not all."""
    job_id = await jobs.submit("batch", documents=notes(ITEMS))

    async def some_are_done() -> bool:
        return (await jobs.get(job_id)).done_count > 0

    await eventually("some items are done", some_are_done)
    job = await jobs.get(job_id)
    assert job.state == pb.JOB_STATE_RUNNING, "the fault must come in the middle"
    return job_id


def worker_at_work(mesh: LaptopMesh) -> ProcessRecord:
    """The worker that has the only job."""
    (busy,) = [record for record in mesh.records("worker") if "context_jobs_running 1.0" in metrics_of(record)]
    return busy


def watches(record: ProcessRecord) -> bool:
    """Whether a gateway has a stream of events."""
    return 'context_requests_in_flight{operation="JobService/WatchJob"} 1.0' in metrics_of(record)


def metrics_of(record: ProcessRecord) -> str:
    assert record.metrics is not None
    with urlopen(record.metrics, timeout=10) as page:
        return str(page.read().decode())


async def finished(jobs: Jobs, job_id: str) -> pb.Job:
    """The job when it has ended; fails unless every item has one result, and no event told of more or fewer."""
    events = await jobs.watch(job_id)
    counts = [event.job.done_count for event in events]
    assert counts == sorted(counts), "what is done stays done"
    job = events[-1].job
    assert (job.state, job.done_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, ITEMS, 0)
    results = await jobs.results(job_id, page_size=100)
    assert [result.index for result in results] == list(range(ITEMS))
    assert {result.document.outcome for result in results} <= STORED
    return job


@of("killed")
async def test_kill_9_of_the_worker_in_the_middle_of_a_batch_and_another_finishes_it(
    mesh: LaptopMesh, jobs: Jobs
) -> None:
    job_id = await begun(jobs)
    kill([worker_at_work(mesh)])
    job = await finished(jobs, job_id)
    assert job.attempt_count == 1, "an attempt that kept results does not count"
    async with mesh.client("killed") as client:
        stored = [record.document_id async for record in client.list_documents(page_size=1000)]
    assert sorted(stored) == sorted(f"notes/{number}.md" for number in range(ITEMS))
    await eventually("both workers run", mesh.is_healthy)


@of("paused")
async def test_a_paused_worker_loses_its_job_and_what_it_reports_later_changes_nothing(
    mesh: LaptopMesh, jobs: Jobs
) -> None:
    job_id = await begun(jobs)
    victim = worker_at_work(mesh)
    kill([victim], signal.SIGSTOP)
    try:
        before = await finished(jobs, job_id)
        results = await jobs.results(job_id, page_size=100)
    finally:
        kill([victim], signal.SIGCONT)
    await eventually("it has let go", lambda: "context_jobs_running 0.0" in metrics_of(victim))
    assert before.attempt_count == 1, "it had kept results, so it costs no attempt to be taken over"
    assert await jobs.get(job_id) == before
    assert await jobs.results(job_id, page_size=100) == results
    await eventually("both workers run", mesh.is_healthy)


@of("restarted")
async def test_a_rolling_restart_of_the_workers_costs_a_job_no_attempt(mesh: LaptopMesh, jobs: Jobs) -> None:
    job_id = await begun(jobs)
    await asyncio.to_thread(mesh.scic, "restart", "worker")
    assert (await finished(jobs, job_id)).attempt_count == 1
    await eventually("both workers run", mesh.is_healthy)


@pytest.mark.parametrize(
    ("jobs", "number"),
    [
        pytest.param("watched-killed", signal.SIGKILL, id="killed"),
        pytest.param("watched-paused", signal.SIGSTOP, id="paused"),
    ],
    indirect=["jobs"],
)
async def test_a_watch_goes_on_when_its_gateway_is_gone(
    mesh: LaptopMesh, jobs: Jobs, request: pytest.FixtureRequest, number: signal.Signals
) -> None:
    job_id = await begun(jobs)
    workers = mesh.records("worker")
    kill(workers, signal.SIGSTOP)  # so that the job cannot end before the watch has been cut off
    seen, gone = list[pb.WatchJobResponse](), list[ProcessRecord]()
    try:
        async with mesh.client(request.node.callspec.params["jobs"]) as client, asyncio.timeout(LONG):
            async for event in client.watch_job(job_id):
                if not seen:
                    gone = [record for record in mesh.records("gateway") if watches(record)]
                    kill(gone, number)
                    kill(workers, signal.SIGCONT)
                seen.append(event)
    finally:
        kill(workers, signal.SIGCONT)
        if number is signal.SIGSTOP:
            kill(gone, signal.SIGCONT)
    assert len(gone) == 1, "one gateway has the only stream"
    assert (seen[-1].job.state, seen[-1].job.done_count) == (pb.JOB_STATE_SUCCEEDED, ITEMS)
    positions = [event.position for event in seen]
    assert len(set(positions)) == len(positions), "nothing is told twice"
    await eventually("both gateways run", mesh.is_healthy)


@of("without")
async def test_a_job_survives_kill_9_of_valkey(mesh: LaptopMesh, jobs: Jobs) -> None:
    job_id = await begun(jobs)
    kill(mesh.records("valkey"))
    await eventually("Valkey runs again", mesh.is_healthy)
    await finished(jobs, job_id)
