"""What a client does with jobs."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from datetime import timedelta
from typing import Final, Literal, get_args

from scic import errors
from scic.client.calls import answer
from scic.client.job_watch import PAUSES, Call, watch
from scic.client.own_writes import OwnWrites
from scic.client.request import unsendable
from scic.client.spans import duration
from scic.gateway.v1 import context_service_pb2, corpus_service_pb2
from scic.gateway.v1 import job_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2_grpc as rpc

JobStateName = Literal["queued", "running", "succeeded", "dead", "cancelled"]

_LARGEST_PAGE: Final = 100
"""Results that a page may have."""


class JobMethods:
    """The methods of JobService, for jobs of keys that may see no more than one's own; a part of `Client`."""

    _jobs: "rpc.JobServiceAsyncStub"  # a type of the stubs alone
    _metadata: tuple[tuple[str, str], ...]
    _own_writes: OwnWrites

    async def submit_contexts(
        self,
        requests: Iterable[context_service_pb2.BuildContextRequest],
        *,
        request_id: str = "",
        priority: int = 0,
        max_attempts: int = 0,
        retention: timedelta | float | None = None,
        timeout: float | None = None,
    ) -> pb.SubmitJobResponse:
        """Puts contexts into the queue, to be built each on its own; when it returns, they survive a crash.

        `job_results` has what comes of them. What this client wrote is in them, as in `build_context`; only where you
        name the `request_id` they are sent as they are, so that they are the same when you send them again.

        Args:
            requests: 1 to 1,000, as `context_request` makes them; 4 MiB in all, unless the server takes more.
            request_id: names the job: the same id with the same content is the same job, however often it is submitted;
                with other content REQUEST_ID_REUSED. Default: a new one.
            priority: 1 (last) to 5 (first) among the tenant's jobs. Default: 3.
            max_attempts: how often it is tried before it is dead, 1 to 10. Default: 3.
            retention: how long results are kept after the end, a minute to 7 days; a number is seconds. Default: a day.
            timeout: seconds, for the submission.
        """
        batch = pb.ContextBatch(requests=map(_request, requests))
        if not request_id and self._own_writes.demand:
            for request in batch.requests:
                request.cache.min_corpus_version = request.cache.min_corpus_version or self._own_writes.demand
        job = _submission(request_id, priority, max_attempts, retention)
        job.contexts.CopyFrom(batch)
        return await answer(self._jobs.SubmitJob(job, metadata=self._metadata, timeout=timeout))

    async def submit_documents(
        self,
        documents: Iterable[corpus_service_pb2.DocumentInput],
        *,
        request_id: str = "",
        priority: int = 0,
        max_attempts: int = 0,
        retention: timedelta | float | None = None,
        timeout: float | None = None,
    ) -> pb.SubmitJobResponse:
        """Puts documents into the queue, to be ingested; when it returns, they survive a crash. Needs the role writer.

        The arguments are those of `submit_contexts`; of several documents with the same id the last one stays.
        """
        job = _submission(request_id, priority, max_attempts, retention)
        job.documents.CopyFrom(pb.DocumentBatch(documents=documents))
        return await answer(self._jobs.SubmitJob(job, metadata=self._metadata, timeout=timeout))

    async def get_job(self, job_id: str, *, timeout: float | None = None) -> pb.Job:
        """Where a job stands."""
        request = pb.GetJobRequest(job_id=job_id)
        return (await answer(self._jobs.GetJob(request, metadata=self._metadata, timeout=timeout))).job

    async def watch_job(self, job_id: str, *, position: str = "") -> AsyncIterator[pb.WatchJobResponse]:
        """What happens to a job, to its end, however long that takes.

        A stream that breaks off, to a gateway that was killed say, goes on where it was; where more events passed
        meanwhile than are kept, with the first one that is. It is given up when for a minute every try to go on has
        failed; a job of which nothing is heard, since nothing happens, is watched on.

        Args:
            job_id: the job.
            position: goes on after the event that had it; POSITION_GONE where that is not kept any more. Default: from
                the first event that is kept.
        """

        async with aclosing(self._events(job_id, position)) as events:
            async for event in events:
                yield event

    async def wait_for_job(self, job_id: str, *, timeout: float | None = None) -> pb.Job:
        """The job as it ended. DEADLINE_EXCEEDED where it has not within `timeout` seconds; the job goes on then.

        Of a job of documents the versions are noted that its results made, so that `build_context` of this client finds
        them, whatever the cache holds.
        """
        job: pb.Job | None = None
        try:
            async with asyncio.timeout(timeout):
                async with aclosing(self._events(job_id, "")) as events:
                    async for event in events:
                        job = event.job
                job = job or await self.get_job(job_id)
                if job.kind == pb.JOB_KIND_DOCUMENTS and job.done_count:
                    # job_results notes them; results of documents are small.
                    async for _ in self.job_results(job_id, page_size=_LARGEST_PAGE):
                        pass
                return job
        except TimeoutError:
            if job and job.HasField("end_time"):
                text = f"the job has ended, but its results had not come after {timeout:g} s"
            else:
                text = f"the job had not ended after {timeout:g} s; it goes on"
            raise errors.DEADLINE_EXCEEDED.error(text) from None

    async def list_jobs(
        self, *, state: JobStateName | None = None, page_size: int = 0, timeout: float | None = None
    ) -> AsyncIterator[pb.Job]:
        """Jobs, newest first, page by page as they are wanted; `timeout` is for each page.

        Args:
            state: only jobs in this state.
            page_size: jobs a page, at most 1,000; by default 100.
            timeout: seconds.
        """
        request = pb.ListJobsRequest(state=_state(state), page_size=page_size)
        while True:
            page = await answer(self._jobs.ListJobs(request, metadata=self._metadata, timeout=timeout))
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def job_results(
        self, job_id: str, *, page_size: int = 0, timeout: float | None = None
    ) -> AsyncIterator[pb.JobResult]:
        """What came of a job's items, in their order, as far as they are done.

        They come page by page as they are wanted, at most 100 and by default 20; `timeout` is for each page.
        """
        request = pb.ListJobResultsRequest(job_id=job_id, page_size=page_size)
        while True:
            page = await answer(self._jobs.ListJobResults(request, metadata=self._metadata, timeout=timeout))
            for result in page.results:
                self._own_writes.note(result.document.corpus_version)
                yield result
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel_job(self, job_id: str, *, timeout: float | None = None) -> pb.Job:
        """Ends a job; results of items that are done stay. JOB_FINISHED where it had ended before."""
        request = pb.CancelJobRequest(job_id=job_id)
        return (await answer(self._jobs.CancelJob(request, metadata=self._metadata, timeout=timeout))).job

    async def replay_job(self, job_id: str, *, timeout: float | None = None) -> pb.Job:
        """Puts a dead or cancelled job into the queue again; items that are done are not done again."""
        request = pb.ReplayJobRequest(job_id=job_id)
        return (await answer(self._jobs.ReplayJob(request, metadata=self._metadata, timeout=timeout))).job

    def _events(self, job_id: str, position: str) -> AsyncGenerator[pb.WatchJobResponse, None]:
        def begin(after: str) -> Call:
            return self._jobs.WatchJob(pb.WatchJobRequest(job_id=job_id, position=after), metadata=self._metadata)

        return watch(begin, position, PAUSES)


def _request(request: context_service_pb2.BuildContextRequest) -> context_service_pb2.BuildContextRequest:
    if not isinstance(request, context_service_pb2.BuildContextRequest):
        raise TypeError(f"a request is what scic.context_request(question, max_tokens=…) makes, not {request!r}")
    return request


def _submission(
    request_id: str, priority: int, max_attempts: int, retention: timedelta | float | None
) -> pb.SubmitJobRequest:
    """A job without its work. It always has a name: only so may it be sent again when the mesh was away."""
    try:
        return pb.SubmitJobRequest(
            request_id=request_id or str(uuid.uuid4()),
            priority=priority,
            max_attempts=max_attempts,
            retention=None if retention is None else duration(retention),
        )
    except (OverflowError, ValueError) as error:
        raise unsendable(error) from None


def _state(name: str | None) -> pb.JobState.ValueType:
    if name is None:
        return pb.JOB_STATE_UNSPECIFIED
    names = get_args(JobStateName)
    if name not in names:
        valid = ", ".join(names)
        raise errors.INVALID_FIELD.error(
            f"state is {name!r}; valid: {valid}", field_violations=[("state", f"must be one of: {valid}")]
        )
    return pb.JobState.Value(f"JOB_STATE_{name.upper()}")
