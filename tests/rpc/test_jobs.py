"""JobService over gRPC: a real client, a real server on port 0, the queue in memory."""

from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from scic import ScicError
from scic.gateway.v1 import context_service_pb2 as context_pb
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2_grpc as rpc
from services.chassis.page_token import page_token
from services.gateway.callers.principal import Principal, Role
from services.gateway.jobs.no_queue import NoQueue
from services.gateway.jobs.servicer import JobServicer
from services.gateway.jobs.submission import submission_of
from services.gateway.signals import LocalSignals
from tests.rpc.jobs_world import MANY, MAX_BYTES, NO_JOB, SOME, TEXTS, World, channel_to, serving


async def test_a_job_is_there_with_its_defaults_and_the_same_request_is_the_same_job(world: World) -> None:
    first = await world.call("SubmitJob", pb.SubmitJobRequest(request_id="r", contexts=MANY))
    job = first.job
    assert first.created
    assert (job.request_id, job.kind, job.state) == ("r", pb.JOB_KIND_CONTEXTS, pb.JOB_STATE_QUEUED)
    assert (job.priority, job.max_attempts, job.item_count, job.key_id) == (3, 3, 12, "hr")
    again = await world.call("SubmitJob", pb.SubmitJobRequest(request_id="r", contexts=MANY, priority=3))
    assert (again.created, again.job.job_id) == (False, job.job_id)
    assert (await world.call("GetJob", pb.GetJobRequest(job_id=job.job_id))).job == job
    elsewhere = await world.submitted("r", "other", contexts=MANY)
    assert elsewhere.job_id != job.job_id


async def test_a_request_without_an_id_has_that_of_the_call(world: World) -> None:
    response = await world.call("SubmitJob", pb.SubmitJobRequest(contexts=SOME), x_request_id="call-7")
    assert response.job.request_id == "call-7"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"contexts": MANY}, id="work"),
        pytest.param({"documents": TEXTS}, id="kind"),
        pytest.param({"priority": 4}, id="priority"),
        pytest.param({"max_attempts": 2}, id="attempts"),
        pytest.param({"retention": Duration(seconds=60)}, id="retention"),
    ],
)
async def test_the_same_id_with_other_content_is_refused_by_name(world: World, change: dict[str, Any]) -> None:
    job = await world.submitted("r")
    with pytest.raises(ScicError) as caught:
        await world.submitted("r", **change)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert caught.value.metadata["job_id"] == job.job_id


async def test_an_id_of_a_job_that_the_caller_may_not_see_is_taken_too(world: World) -> None:
    await world.submitted("r", "all")
    with pytest.raises(ScicError) as caught:
        await world.submitted("r", "sales")
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_the_same_id_and_content_of_another_key_is_another_request(world: World) -> None:
    """What the job read is what its own key may read."""
    await world.submitted("r", "hr")
    for key in ("all", "hr-reader"):
        with pytest.raises(ScicError) as caught:
            await world.submitted("r", key)
        assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_who_may_write_only_has_documents_ingested(world: World) -> None:
    job_id = (await world.submitted(key="writer", documents=TEXTS)).job_id
    await world.call("CancelJob", pb.CancelJobRequest(job_id=job_id), "writer")
    await world.call("ReplayJob", pb.ReplayJobRequest(job_id=job_id), "writer")
    with pytest.raises(ScicError) as caught:
        await world.submitted("contexts", "writer")
    assert (caught.value.reason, caught.value.metadata["role"]) == ("ROLE_REQUIRED", "reader")


async def test_a_key_that_has_lost_a_group_does_not_see_what_it_saw_then(world: World) -> None:
    groups = frozenset({"hr", "board"})
    then = Principal("hr", "acme", frozenset({Role.READER}), groups)
    request = pb.SubmitJobRequest(request_id="then", contexts=SOME)
    stored, _ = await world.queue.submit(submission_of(then, request, max_bytes=MAX_BYTES))
    with pytest.raises(ScicError) as caught:
        await world.call("GetJob", pb.GetJobRequest(job_id=stored.job.job_id), "hr")
    assert caught.value.reason == "JOB_NOT_FOUND"
    await world.call("GetJob", pb.GetJobRequest(job_id=stored.job.job_id), "all")


INVALID, PERMISSION, NOT_FOUND = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
)


@pytest.mark.parametrize(
    ("method", "request_", "key", "code", "reason", "field"),
    [
        pytest.param("SubmitJob", pb.SubmitJobRequest(), "hr", INVALID, "INVALID_FIELD", "work", id="no work"),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=pb.ContextBatch()),
            "hr",
            INVALID,
            "INVALID_FIELD",
            "contexts.requests",
            id="no items",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=pb.ContextBatch(requests=[context_pb.BuildContextRequest()] * 1001)),
            "hr",
            INVALID,
            "INVALID_FIELD",
            None,
            id="too many items",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=pb.ContextBatch(requests=[context_pb.BuildContextRequest(question=" ")])),
            "hr",
            INVALID,
            "INVALID_FIELD",
            "contexts.requests[0].question",
            id="an item that breaks a rule",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=SOME, request_id="a b"),
            "hr",
            INVALID,
            "INVALID_FIELD",
            "request_id",
            id="request id",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=SOME, priority=6),
            "hr",
            INVALID,
            "INVALID_FIELD",
            "priority",
            id="priority out of range",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=SOME, max_attempts=11),
            "hr",
            INVALID,
            "INVALID_FIELD",
            "max_attempts",
            id="attempts out of range",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=SOME, retention=Duration(seconds=59)),
            "hr",
            INVALID,
            "INVALID_FIELD",
            "retention",
            id="retention out of range",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(
                documents=pb.DocumentBatch(documents=[corpus_pb.DocumentInput(document_id="a", content=b"x" * 21_000)])
            ),
            "hr",
            INVALID,
            "REQUEST_TOO_LARGE",
            "documents",
            id="too large",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(documents=TEXTS),
            "hr-reader",
            PERMISSION,
            "ROLE_REQUIRED",
            None,
            id="documents of a reader",
        ),
        pytest.param(
            "SubmitJob",
            pb.SubmitJobRequest(contexts=SOME),
            "operator",
            PERMISSION,
            "ROLE_REQUIRED",
            None,
            id="contexts of no reader",
        ),
        pytest.param("GetJob", pb.GetJobRequest(), "hr", INVALID, "INVALID_FIELD", "job_id", id="no name"),
        pytest.param("GetJob", pb.GetJobRequest(job_id="x" * 65), "hr", INVALID, "INVALID_FIELD", "job_id", id="long"),
        pytest.param("GetJob", pb.GetJobRequest(job_id=NO_JOB), "hr", NOT_FOUND, "JOB_NOT_FOUND", "job_id", id="none"),
        pytest.param(
            "GetJob", pb.GetJobRequest(job_id="}:{x"), "hr", NOT_FOUND, "JOB_NOT_FOUND", "job_id", id="a key's parts"
        ),
        pytest.param(
            "ListJobs", pb.ListJobsRequest(page_size=1001), "hr", INVALID, "INVALID_FIELD", "page_size", id="page size"
        ),
        pytest.param(
            "ListJobs", pb.ListJobsRequest(page_token="abc"), "hr", INVALID, "INVALID_FIELD", "page_token", id="token"
        ),
        pytest.param(
            "ListJobs",
            pb.ListJobsRequest(page_token=page_token("jobs 0", NO_JOB)),
            "hr",
            INVALID,
            "INVALID_FIELD",
            "page_token",
            id="token of a job that is forgotten",
        ),
        pytest.param("ListJobs", pb.ListJobsRequest(state=9), "hr", INVALID, "INVALID_FIELD", "state", id="state"),  # type: ignore[arg-type]  # no such state
        pytest.param(
            "ListJobResults",
            pb.ListJobResultsRequest(job_id=NO_JOB),
            "hr",
            NOT_FOUND,
            "JOB_NOT_FOUND",
            "job_id",
            id="results of none",
        ),
    ],
)
async def test_bad_input_is_refused_by_field_before_any_work(
    world: World, method: str, request_: Any, key: str, code: grpc.StatusCode, reason: str, field: str | None
) -> None:
    with pytest.raises(ScicError) as caught:
        await world.call(method, request_, key)
    assert (caught.value.code, caught.value.reason) == (code, reason)
    if field is not None:
        assert caught.value.field_violations[0].field == field
    assert await world.queue.claim() is None


@pytest.mark.parametrize(
    ("owner", "caller", "sees"),
    [
        pytest.param("hr", "hr", True, id="its own"),
        pytest.param("hr", "all", True, id="who sees all"),
        pytest.param("hr", "hr-reader", True, id="who sees as much"),
        pytest.param("hr", "sales", False, id="other groups"),
        pytest.param("all", "hr", False, id="a narrower key"),
        pytest.param("all", "other", False, id="another tenant"),
    ],
)
async def test_a_job_exists_for_those_who_see_no_less_than_its_owner(
    world: World, owner: str, caller: str, sees: bool
) -> None:
    job_id = (await world.submitted(key=owner)).job_id
    listed = await world.call("ListJobs", pb.ListJobsRequest(), caller)
    assert [job.job_id for job in listed.jobs] == [job_id] * sees
    requests = {
        "GetJob": pb.GetJobRequest(job_id=job_id),
        "ListJobResults": pb.ListJobResultsRequest(job_id=job_id),
        "CancelJob": pb.CancelJobRequest(job_id=job_id),
        "ReplayJob": pb.ReplayJobRequest(job_id=job_id),
    }
    for method, request in requests.items():
        if sees:
            await world.call(method, request, caller)
            continue
        with pytest.raises(ScicError) as caught:
            await world.call(method, request, caller)
        missing = await refusal(world, caller)
        assert caught.value == missing, "as if there were none"
    if not sees:
        with pytest.raises(ScicError) as caught:
            await world.watch(job_id, caller)
        assert caught.value.reason == "JOB_NOT_FOUND"


async def refusal(world: World, caller: str) -> ScicError:
    with pytest.raises(ScicError) as caught:
        await world.call("GetJob", pb.GetJobRequest(job_id=NO_JOB), caller)
    return caught.value


@pytest.mark.parametrize("method", ["CancelJob", "ReplayJob"])
async def test_who_may_not_submit_documents_may_neither_cancel_nor_replay_them(world: World, method: str) -> None:
    job_id = (await world.submitted(documents=TEXTS)).job_id
    with pytest.raises(ScicError) as caught:
        await world.call(method, getattr(pb, f"{method}Request")(job_id=job_id), "hr-reader")
    assert (caught.value.reason, caught.value.metadata["role"]) == ("ROLE_REQUIRED", "writer")


async def test_a_cancelled_job_is_cancelled_once_and_can_be_replayed(world: World) -> None:
    job_id = (await world.submitted()).job_id
    for _ in range(2):
        response = await world.call("CancelJob", pb.CancelJobRequest(job_id=job_id))
        assert response.job.state == pb.JOB_STATE_CANCELLED
    assert (await world.call("ReplayJob", pb.ReplayJobRequest(job_id=job_id))).job.state == pb.JOB_STATE_QUEUED
    with pytest.raises(ScicError) as caught:
        await world.call("ReplayJob", pb.ReplayJobRequest(job_id=job_id))
    assert caught.value.reason == "JOB_NOT_REPLAYABLE"
    claim = await world.claim()
    await world.fill(claim, 0)
    await world.queue.succeed(claim)
    with pytest.raises(ScicError) as caught:
        await world.call("CancelJob", pb.CancelJobRequest(job_id=job_id))
    assert caught.value.reason == "JOB_FINISHED"


async def test_a_full_queue_says_so(world: World) -> None:
    for number in range(3):
        await world.submitted(f"r{number}")
    with pytest.raises(ScicError) as caught:
        await world.submitted("r3")
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "JOB_QUEUE_FULL")


async def test_jobs_are_listed_newest_first_page_by_page_and_by_state(world: World) -> None:
    jobs = [(await world.submitted(f"r{number}", key)).job_id for number, key in enumerate(("hr", "all", "hr"))]
    await world.queue.cancel("acme", jobs[2])
    assert await pages(world, "all", page_size=2) == [[jobs[2], jobs[1]], [jobs[0]]]
    assert await pages(world, "hr", page_size=1) == [[jobs[2]], [jobs[0]]]
    assert await pages(world, "all", state=pb.JOB_STATE_QUEUED) == [[jobs[1], jobs[0]]]
    token = (await world.call("ListJobs", pb.ListJobsRequest(page_size=1), "all")).next_page_token
    with pytest.raises(ScicError) as caught:
        await world.call("ListJobs", pb.ListJobsRequest(page_token=token, state=pb.JOB_STATE_DEAD), "all")
    assert caught.value.field_violations[0].field == "page_token"


async def pages(world: World, key: str, **fields: Any) -> list[list[str]]:
    found, request = [], pb.ListJobsRequest(**fields)
    while True:
        response = await world.call("ListJobs", request, key)
        found.append([job.job_id for job in response.jobs])
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token


@pytest.mark.parametrize(
    ("size", "page_size", "expected"),
    [
        pytest.param(1, 5, [5, 5, 1], id="by count"),
        pytest.param(1 << 20, 100, [3, 3, 3, 2], id="by bytes, so that any client takes it"),
        pytest.param(5 << 20, 2, [1] * 11, id="larger than a page"),
    ],
)
async def test_results_are_listed_in_their_order_as_far_as_they_are_done(
    world: World, size: int, page_size: int, expected: list[int]
) -> None:
    job_id = (await world.submitted(contexts=MANY)).job_id
    claim = await world.claim()
    await world.fill(claim, *(number for number in reversed(range(12)) if number != 4), size=size)
    found, request = [], pb.ListJobResultsRequest(job_id=job_id, page_size=page_size)
    while True:
        response = await world.call("ListJobResults", request)
        found.append([result.index for result in response.results])
        if not response.next_page_token:
            break
        request.page_token = response.next_page_token
    assert [number for page in found for number in page] == [number for number in range(12) if number != 4]
    assert [len(page) for page in found] == expected


async def test_while_the_queue_is_away_it_says_so(world: World) -> None:
    job_id = (await world.submitted()).job_id
    world.queue.unavailable = True
    for method, request in {
        "SubmitJob": pb.SubmitJobRequest(contexts=SOME, request_id="new"),
        "GetJob": pb.GetJobRequest(job_id=job_id),
        "ListJobs": pb.ListJobsRequest(),
    }.items():
        with pytest.raises(ScicError) as caught:
            await world.call(method, request)
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.UNAVAILABLE, "QUEUE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SubmitJob", pb.SubmitJobRequest(contexts=SOME)),
        ("GetJob", pb.GetJobRequest(job_id="x")),
        ("WatchJob", pb.WatchJobRequest(job_id=NO_JOB)),
        ("ListJobs", pb.ListJobsRequest()),
        ("ListJobResults", pb.ListJobResultsRequest(job_id=NO_JOB)),
        ("CancelJob", pb.CancelJobRequest(job_id=NO_JOB)),
        ("ReplayJob", pb.ReplayJobRequest(job_id=NO_JOB)),
    ],
)
async def test_without_a_queue_every_method_says_so(method: str, request_: Any) -> None:
    world = World()
    servicer = JobServicer(NoQueue(), LocalSignals(), max_bytes=MAX_BYTES, is_leaving=lambda: False)
    async with serving(servicer) as address, channel_to(address) as channel:
        world.stub = rpc.JobServiceStub(channel)
        ask = world.watch(NO_JOB) if method == "WatchJob" else world.call(method, request_)
        with pytest.raises(ScicError) as caught:
            await ask
    assert caught.value.reason == "QUEUE_NOT_CONFIGURED"
