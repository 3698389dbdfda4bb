"""The client's methods for jobs and cache, against a real server."""

import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from scic import Client, DocumentInput, ScicError, context_request, errors
from scic.gateway.v1 import cache_service_pb2, corpus_service_pb2
from scic.gateway.v1 import job_service_pb2 as pb
from tests.unit.cli.job_server import Server, dead, event, job, moment, served

AWAY = errors.QUEUE_UNAVAILABLE.error("the queue does not answer")
GONE = errors.POSITION_GONE.error("trimmed")
JOB = "a" * 32


def bare(code: grpc.StatusCode) -> ScicError:
    """What grpc or a proxy says: no reason of ours."""
    return ScicError(code, code.name, "Received RST_STREAM with error code 2")


RESET = bare(grpc.StatusCode.INTERNAL)
BUG = errors.INTERNAL.error("please report its id", metadata={"error_id": "e1"})


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture
async def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr("scic.client.job_methods.PAUSES", (0.0, 0.0))
    async with Client(server.address, api_key="scic_key") as client:
        yield client


def requests(*questions: str) -> list[Any]:
    return [context_request(question, max_tokens=100) for question in questions]


async def test_contexts_become_a_job(server: Server, client: Client) -> None:
    answer = await client.submit_contexts(
        requests("a", "b"), request_id="night-1", priority=5, max_attempts=2, retention=timedelta(hours=2)
    )
    assert (answer.created, answer.job.item_count) == (True, 2)
    assert server.seen == [
        pb.SubmitJobRequest(
            request_id="night-1",
            priority=5,
            max_attempts=2,
            retention=Duration(seconds=7200),
            contexts=pb.ContextBatch(requests=requests("a", "b")),
        )
    ]


async def test_documents_become_a_job(server: Server, client: Client) -> None:
    documents = [DocumentInput(document_id=name) for name in ("a", "b")]
    await client.submit_documents(iter(documents), retention=90)
    (request,) = server.seen
    assert list(request.documents.documents) == documents
    assert request.retention == Duration(seconds=90)


async def test_a_job_without_a_name_gets_one_so_that_a_retry_is_the_same_job(server: Server, client: Client) -> None:
    server.failures = [AWAY]
    await client.submit_contexts(requests("a"))
    first, again = server.seen
    assert first == again
    assert str(uuid.UUID(first.request_id)) == first.request_id
    await client.submit_contexts(requests("a"))
    assert server.seen[2].request_id != first.request_id


@pytest.mark.parametrize("retention", [float("nan"), float("inf")])
async def test_a_retention_that_is_no_time_is_refused(client: Client, retention: float) -> None:
    with pytest.raises(ScicError, match="cannot be sent"):
        await client.submit_contexts(requests("a"), retention=retention)


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        pytest.param("get_job", 2, id="looked at again"),
        pytest.param("cancel_job", 2, id="cancelled is cancelled"),
        pytest.param("replay_job", 1, id="replayed once: the second time might be another one"),
    ],
)
async def test_what_is_asked_for_again(server: Server, client: Client, method: str, calls: int) -> None:
    server.jobs, server.failures = [job()], [AWAY]
    if calls == 1:
        with pytest.raises(ScicError) as caught:
            await getattr(client, method)(JOB)
        assert caught.value == AWAY
    else:
        assert (await getattr(client, method)(JOB)).job_id == JOB
    assert len(server.seen) == calls


@pytest.mark.parametrize(
    ("streams", "begins", "positions"),
    [
        pytest.param([[event("1-0"), event("2-0", "SUCCEEDED")]], [""], ["1-0", "2-0"], id="one stream"),
        pytest.param(
            [[event("1-0"), AWAY], [event("2-0", "SUCCEEDED")]], ["", "1-0"], ["1-0", "2-0"], id="goes on where it was"
        ),
        pytest.param([[AWAY], [event("1-0", "DEAD")]], ["", ""], ["1-0"], id="from the start, where nothing had come"),
        pytest.param(
            [[event("1-0"), AWAY], [AWAY], [AWAY], [event("2-0"), AWAY], [AWAY], [AWAY], [event("3-0", "DEAD")]],
            ["", "1-0", "1-0", "1-0", "2-0", "2-0", "2-0"],
            ["1-0", "2-0", "3-0"],
            id="an event makes it patient again",
        ),
        *(
            pytest.param([[event("1-0"), gone], [event("2-0", "DEAD")]], ["", "1-0"], ["1-0", "2-0"], id=name)
            for name, gone in {
                "a gateway that was killed": RESET,
                "a stream that a proxy cancelled": bare(grpc.StatusCode.CANCELLED),
                "a server that says nothing": bare(grpc.StatusCode.UNKNOWN),
                "a full gateway": errors.OVERLOADED.error("full", retry_after=0.01),
                "too many watches": errors.RATE_LIMITED.error("too many", retry_after=0.01),
            }.items()
        ),
        pytest.param(
            [[event("1-0"), RESET], [GONE], [event("400-0"), event("401-0", "DEAD")]],
            ["", "1-0", ""],
            ["1-0", "400-0", "401-0"],
            id="more happened meanwhile than is kept",
        ),
        pytest.param(
            [[event("1-0"), GONE], [event("400-0", "DEAD")]],
            ["", ""],
            ["1-0", "400-0"],
            id="more happened than a slow reader could read",
        ),
    ],
)
async def test_watching_outlives_streams_that_break_off(
    server: Server, client: Client, streams: list[Any], begins: list[str], positions: list[str]
) -> None:
    server.streams = streams
    assert [seen.position async for seen in client.watch_job(JOB)] == positions
    assert [request.position for request in server.seen] == begins


@pytest.mark.parametrize(
    ("streams", "calls", "reason"),
    [
        pytest.param([[AWAY]] * 4, 4, "QUEUE_UNAVAILABLE", id="away for good: four tries with two pauses"),
        pytest.param([[errors.JOB_NOT_FOUND.error("no")]], 1, "JOB_NOT_FOUND", id="no such job"),
        pytest.param([[GONE]], 1, "POSITION_GONE", id="trimmed from the beginning"),
        pytest.param([[RESET]] * 4, 4, "INTERNAL", id="reset for good"),
        pytest.param([[event("1-0"), BUG]], 1, "INTERNAL", id="a bug of the service"),
        pytest.param([[errors.OVERLOADED.error("full")]], 1, "OVERLOADED", id="full, and it does not say for how long"),
        pytest.param(
            [[errors.RATE_LIMITED.error("too many", retry_after=3600)]], 1, "RATE_LIMITED", id="limited for an hour"
        ),
    ],
)
async def test_watching_ends_with_what_cannot_be_mended(
    server: Server, client: Client, streams: list[Any], calls: int, reason: str
) -> None:
    server.streams = streams
    with pytest.raises(ScicError) as caught:
        [seen async for seen in client.watch_job(JOB, position="0-1")]
    assert caught.value.reason == reason
    assert len(server.seen) == calls


async def test_watching_goes_on_from_a_position(server: Server, client: Client) -> None:
    server.streams = [[event("6-0", "SUCCEEDED")]]
    assert [seen.position async for seen in client.watch_job(JOB, position="5-0")] == ["6-0"]
    assert server.seen[0].position == "5-0"


async def test_waiting_for_a_job_brings_it_as_it_ended(server: Server, client: Client) -> None:
    server.streams = [[event("1-0"), AWAY], [event("2-0", "SUCCEEDED", done_count=3)]]
    assert (await client.wait_for_job(JOB)).done_count == 3


async def test_waiting_outlives_events_that_are_gone(server: Server, client: Client) -> None:
    server.streams = [[event("1-0"), RESET], [GONE], [event("400-0", "SUCCEEDED", done_count=3)]]
    assert (await client.wait_for_job(JOB)).done_count == 3


@pytest.mark.parametrize(
    "streams",
    [
        pytest.param(
            [[event("1-0", "SUCCEEDED", kind=pb.JOB_KIND_DOCUMENTS, done_count=150, end_time=moment(9))]], id="watched"
        ),
        pytest.param([[]], id="it had ended before"),
    ],
)
async def test_what_a_job_stored_is_in_what_the_client_asks_for_then(
    server: Server, client: Client, streams: list[Any]
) -> None:
    server.streams = streams
    server.jobs = [job(JOB, "SUCCEEDED", kind=pb.JOB_KIND_DOCUMENTS, done_count=150, end_time=moment(9))]
    server.results = [
        pb.JobResult(index=index, document=corpus_service_pb2.IngestDocumentsResponse(corpus_version=1000 - index))
        for index in range(150)
    ]
    await client.wait_for_job(JOB)
    await client.build_context("Why?", max_tokens=100)
    assert client.corpus_version == 1000
    assert server.seen[-1].cache.min_corpus_version == 1000


async def test_results_of_contexts_are_not_read_unasked(server: Server, client: Client) -> None:
    server.streams = [[event("1-0", "SUCCEEDED", done_count=3)]]
    await client.wait_for_job(JOB)
    assert [type(request) for request in server.seen] == [pb.WatchJobRequest]


async def test_waiting_for_a_job_without_events_asks_for_it(server: Server, client: Client) -> None:
    server.jobs, server.streams = [dead(JOB)], [[]]
    assert await client.wait_for_job(JOB) == dead(JOB)


async def test_waiting_ends_in_time_and_the_job_goes_on(server: Server, client: Client) -> None:
    with pytest.raises(ScicError, match="it goes on") as caught:
        await client.wait_for_job(JOB, timeout=0.2)
    assert caught.value.reason == "DEADLINE_EXCEEDED"
    assert [type(request) for request in server.seen] == [pb.WatchJobRequest]


async def test_jobs_and_results_come_page_by_page(server: Server, client: Client) -> None:
    server.jobs = [job(name, state) for name, state in (("a", "QUEUED"), ("b", "DEAD"), ("c", "DEAD"), ("d", "DEAD"))]
    server.results = [pb.JobResult(index=index) for index in range(5)]
    assert [listed.job_id async for listed in client.list_jobs()] == ["a", "b", "c", "d"]
    assert [listed.job_id async for listed in client.list_jobs(state="dead")] == ["b", "c", "d"]
    assert len(server.seen) == 4
    assert [result.index async for result in client.job_results(JOB)] == [0, 1, 2, 3, 4]
    assert len(server.seen) == 7


async def test_a_state_that_no_job_has_is_refused(client: Client) -> None:
    with pytest.raises(ScicError, match="valid: queued, running, succeeded, dead, cancelled"):
        [listed async for listed in client.list_jobs(state="lost")]  # type: ignore[arg-type]  # the mistake itself


async def test_the_cache_is_counted_and_flushed(server: Server, client: Client) -> None:
    server.stats = cache_service_pb2.GetCacheStatsResponse(entry_count=7, start_time=moment(0))
    assert await client.cache_stats() == server.stats
    assert await client.flush_cache("acme") == 7
    assert server.seen[1] == cache_service_pb2.FlushCacheRequest(tenant="acme")


@pytest.mark.parametrize(
    ("options", "demanded"),
    [
        pytest.param({}, 9, id="what the client has written"),
        pytest.param({"request_id": "night-1"}, 0, id="a name of one's own: as it is"),
    ],
)
async def test_a_batch_finds_what_the_client_has_written(
    server: Server, client: Client, options: dict[str, str], demanded: int
) -> None:
    server.results = [
        pb.JobResult(index=index, document=corpus_service_pb2.IngestDocumentsResponse(corpus_version=version))
        for index, version in enumerate((8, 9, 0))
    ]
    assert len([result async for result in client.job_results(JOB)]) == 3
    assert client.corpus_version == 9
    own = context_request("c", max_tokens=100, min_corpus_version=4)
    await client.submit_contexts([*requests("a"), own], **options)  # type: ignore[arg-type]  # text is all there is
    assert [request.cache.min_corpus_version for request in server.seen[-1].contexts.requests] == [demanded, 4]
    assert own.cache.min_corpus_version == 4
