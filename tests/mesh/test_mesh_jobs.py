"""Jobs through a whole mesh: submitted, watched, done once, cancelled, replayed, and seen by nobody else."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

import scic.testing
from scic import Client, ScicError, errors
from scic.gateway.v1 import context_service_pb2 as context_pb
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as pb
from tests.jobs_api import Jobs, jobs_of, notes
from tests.laptop import OWN_TENANT, LaptopMesh
from tests.mesh.corpus import DOCUMENTS
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "How many grams of fish does a heron eat?"
INDEXED = corpus_pb.IngestDocumentsResponse.OUTCOME_INDEXED


AnyMesh = LaptopMesh | scic.testing.Mesh


def key_of(mesh: AnyMesh, tenant: str) -> str:
    return mesh.key_of(tenant) if isinstance(mesh, LaptopMesh) else mesh.api_keys[tenant]


@pytest_asyncio.fixture(loop_scope="session")
async def jobs(mesh: AnyMesh, tenant: str) -> AsyncIterator[Jobs]:
    """The jobs of a tenant that has nothing yet."""
    async with jobs_of(mesh.address, key_of(mesh, tenant)) as jobs:
        yield jobs


def contexts(*questions: str, **fields: Any) -> pb.ContextBatch:
    requests = [context_pb.BuildContextRequest(question=q, max_tokens=500, **fields) for q in questions]
    return pb.ContextBatch(requests=requests)


async def test_documents_and_then_contexts_are_done_watched_and_read(jobs: Jobs, mesh: AnyMesh, tenant: str) -> None:
    ingesting = await jobs.submit("documents", documents=pb.DocumentBatch(documents=DOCUMENTS))
    events = await jobs.watch(ingesting)
    assert [event.job.state for event in (events[0], events[-1])] == [pb.JOB_STATE_QUEUED, pb.JOB_STATE_SUCCEEDED]
    assert await jobs.watch(ingesting, events[1].position) == events[2:], "a watch goes on where it broke off"
    job = events[-1].job
    assert (job.done_count, job.failed_count, job.attempt_count) == (len(DOCUMENTS), 0, 1)
    results = await jobs.results(ingesting)
    assert [result.index for result in results] == list(range(len(DOCUMENTS)))
    assert {result.document.outcome for result in results} == {INDEXED}

    building = await jobs.submit("contexts", contexts=contexts(QUESTION, "Who keeps the lighthouse?", "Which ferry?"))
    assert (await jobs.ended(building)).state == pb.JOB_STATE_SUCCEEDED
    built = [result.context for result in await jobs.results(building, page_size=2)]
    assert built[0].evidence[0].document_id == "notes/herons.md"
    assert not any(one.degradations for one in built)
    assert [one.request_id for one in built] == [f"contexts:{number}" for number in range(3)]
    async with mesh.client(tenant) as client:
        # A record is found as soon as it is written, and workers write some of them at a time.
        await eventually("it is in the ledger", lambda: is_recorded(client, "contexts:0", QUESTION))


async def is_recorded(client: Client, request_id: str, question: str) -> bool:
    try:
        return (await client.get_record(request_id)).request.question == question
    except ScicError as error:
        if error.reason != "RECORD_NOT_FOUND":
            raise
        return False


async def test_what_is_wrong_with_an_item_is_its_result(jobs: Jobs) -> None:
    batch = contexts("Why?", "Why not?")
    batch.requests[1].model = "gpt-99"
    job = await jobs.ended(job_id := await jobs.submit("mixed", contexts=batch))
    assert (job.state, job.done_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 2, 1)
    good, bad = await jobs.results(job_id)
    assert good.WhichOneof("outcome") == "context"
    assert errors.from_status(bad.error).reason == "UNKNOWN_MODEL"


async def test_the_same_request_is_the_same_job_and_is_done_once(jobs: Jobs) -> None:
    request = pb.SubmitJobRequest(request_id="once", documents=notes(3))
    first = await jobs.call("SubmitJob", request)
    await jobs.ended(first.job.job_id)
    second = await jobs.call("SubmitJob", request)
    assert (first.created, second.created) == (True, False)
    assert second.job.state == pb.JOB_STATE_SUCCEEDED
    with pytest.raises(ScicError) as caught:
        await jobs.submit("once", documents=notes(4))
    assert (caught.value.reason, caught.value.metadata["job_id"]) == ("REQUEST_ID_REUSED", first.job.job_id)


async def test_a_cancelled_job_stops_and_a_replay_does_the_rest(jobs: Jobs) -> None:
    job_id = await jobs.submit("long", documents=notes(300))
    await eventually("it has begun", lambda: has_done(jobs, job_id, 1))
    await jobs.call("CancelJob", pb.CancelJobRequest(job_id=job_id))
    cancelled = await jobs.ended(job_id)
    assert cancelled.state == pb.JOB_STATE_CANCELLED
    assert cancelled.done_count < 300, "the test must cancel in the middle"
    kept = {result.index for result in await jobs.results(job_id, page_size=100)}
    replayed = (await jobs.call("ReplayJob", pb.ReplayJobRequest(job_id=job_id))).job
    assert replayed.state == pb.JOB_STATE_QUEUED
    job = await jobs.ended(job_id)
    assert (job.state, job.done_count, job.failed_count) == (pb.JOB_STATE_SUCCEEDED, 300, 0)
    results = {result.index: result.document.outcome for result in await jobs.results(job_id, page_size=100)}
    assert sorted(results) == list(range(300))
    assert {results[index] for index in kept} == {INDEXED}, "what was done is not done again"


async def has_done(jobs: Jobs, job_id: str, count: int) -> bool:
    return (await jobs.get(job_id)).done_count >= count


async def test_jobs_are_listed(jobs: Jobs) -> None:
    submitted = [await jobs.submit(f"job-{number}", contexts=contexts("Why?")) for number in range(3)]
    for job_id in submitted:
        await jobs.ended(job_id)
    listed = await jobs.call("ListJobs", pb.ListJobsRequest(page_size=2))
    rest = await jobs.call("ListJobs", pb.ListJobsRequest(page_size=2, page_token=listed.next_page_token))
    assert [job.job_id for job in (*listed.jobs, *rest.jobs)] == [*reversed(submitted)]
    assert not rest.next_page_token
    assert not (await jobs.call("ListJobs", pb.ListJobsRequest(state=pb.JOB_STATE_DEAD))).jobs


async def test_a_job_exists_for_nobody_of_another_tenant(
    jobs: Jobs, mesh: AnyMesh, unused_tenants: Iterator[str]
) -> None:
    job_id = await jobs.submit("ours", contexts=contexts("Why?"))
    async with jobs_of(mesh.address, key_of(mesh, next(unused_tenants))) as theirs:
        await assert_hidden(theirs, job_id)


async def test_a_job_exists_for_nobody_who_sees_less(mesh: AnyMesh, tenant: str) -> None:
    owner, guest = (
        (key_of(mesh, OWN_TENANT), mesh.guest_key)
        if isinstance(mesh, LaptopMesh)
        else (key_of(mesh, tenant), mesh.group_keys[tenant, "guests"])
    )
    async with jobs_of(mesh.address, owner) as wide, jobs_of(mesh.address, guest) as narrow:
        await assert_hidden(narrow, await wide.submit("of-the-owner", contexts=contexts("Why?")))
        job_id = await narrow.submit("of-a-guest", contexts=contexts("Why?"))
        assert (await wide.get(job_id)).key_id


async def assert_hidden(jobs: Jobs, job_id: str) -> None:
    requests = {
        "GetJob": pb.GetJobRequest(job_id=job_id),
        "ListJobResults": pb.ListJobResultsRequest(job_id=job_id),
        "CancelJob": pb.CancelJobRequest(job_id=job_id),
        "ReplayJob": pb.ReplayJobRequest(job_id=job_id),
    }
    for method, request in requests.items():
        with pytest.raises(ScicError) as caught:
            await jobs.call(method, request)
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    with pytest.raises(ScicError) as caught:
        await jobs.watch(job_id)
    assert caught.value.reason == "JOB_NOT_FOUND"
    listed = await jobs.call("ListJobs", pb.ListJobsRequest())
    assert job_id not in {job.job_id for job in listed.jobs}
