"""JobService: wire to domain and back."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

from structlog.contextvars import bind_contextvars

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2_grpc as rpc
from services.chassis.interceptors import Context, request_id_of
from services.chassis.work import on_thread
from services.gateway.callers.authentication import current_principal
from services.gateway.jobs.job_id import looked_for
from services.gateway.jobs.listing import job_page, result_page
from services.gateway.jobs.ports import JobQueue, StoredJob
from services.gateway.jobs.submission import submission_of
from services.gateway.jobs.visibility import check_role, is_visible, not_found
from services.gateway.jobs.watch import watch
from services.gateway.signals import Signals

_LARGE_BYTES = 1 << 18


class JobServicer(rpc.JobServiceServicer):
    """Answers for the tenant's jobs; workers do them."""

    def __init__(self, queue: JobQueue, signals: Signals, *, max_bytes: int, is_leaving: Callable[[], bool]) -> None:
        self._queue = queue
        self._signals = signals
        self._max_bytes = max_bytes
        self._is_leaving = is_leaving

    async def SubmitJob(  # noqa: N802 - the name of the RPC
        self, request: pb.SubmitJobRequest, context: Context
    ) -> pb.SubmitJobResponse:
        """Puts a job in."""
        caller = current_principal()
        request.request_id = request.request_id or request_id_of(context)
        bind_contextvars(request_id=request.request_id)
        work = partial(submission_of, caller, request, max_bytes=self._max_bytes)
        # Megabytes take a while to write and to hash: not on the loop.
        submission = await on_thread(None, work) if request.ByteSize() > _LARGE_BYTES else work()
        stored, created = await self._queue.submit(submission)
        if not is_visible(stored, caller):
            raise errors.REQUEST_ID_REUSED.error(
                "the request id names a job of another API key",
                metadata={"job_id": submission.job_id},
                field_violations=[("request_id", "must be new, or of a job that the API key may see")],
            )
        return pb.SubmitJobResponse(job=stored.job, created=created)

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:  # noqa: N802 - as above
        """Returns a job."""
        return pb.GetJobResponse(job=(await self._visible(request.job_id)).job)

    async def WatchJob(  # noqa: N802 - the name of the RPC
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Streams a job's events. No deadline of ours, a job takes as long as it takes; but it ends with the server."""
        stored = await self._visible(request.job_id)
        # Says at once that the stream is accepted, however long it is until something happens.
        await context.send_initial_metadata(())
        events = watch(
            self._queue,
            self._signals,
            current_principal().tenant,
            stored.job,
            after=request.position,
            is_leaving=self._is_leaving,
        )
        async with aclosing(events):
            async for event in events:
                yield pb.WatchJobResponse(position=event.position, job=event.job)

    async def ListJobs(  # noqa: N802 - the name of the RPC
        self, request: pb.ListJobsRequest, context: Context
    ) -> pb.ListJobsResponse:
        """Lists jobs."""
        return await job_page(self._queue, current_principal(), request)

    async def ListJobResults(  # noqa: N802 - the name of the RPC
        self, request: pb.ListJobResultsRequest, context: Context
    ) -> pb.ListJobResultsResponse:
        """Lists results."""
        await self._visible(request.job_id)
        return await result_page(self._queue, current_principal().tenant, request)

    async def CancelJob(  # noqa: N802 - the name of the RPC
        self, request: pb.CancelJobRequest, context: Context
    ) -> pb.CancelJobResponse:
        """Ends a job."""
        await self._own(request.job_id)
        return pb.CancelJobResponse(job=(await self._queue.cancel(current_principal().tenant, request.job_id)).job)

    async def ReplayJob(  # noqa: N802 - the name of the RPC
        self, request: pb.ReplayJobRequest, context: Context
    ) -> pb.ReplayJobResponse:
        """Puts a job in again."""
        await self._own(request.job_id)
        return pb.ReplayJobResponse(job=(await self._queue.replay(current_principal().tenant, request.job_id)).job)

    async def _visible(self, job_id: str) -> StoredJob:
        caller = current_principal()
        try:
            stored = await self._queue.get(caller.tenant, looked_for(job_id))
        except errors.ScicError as error:
            raise (not_found() if error.reason == errors.JOB_NOT_FOUND.name else error) from None
        if not is_visible(stored, caller):
            raise not_found()
        return stored

    async def _own(self, job_id: str) -> None:
        """Raises what a caller hears who may not have such a job done."""
        check_role(current_principal(), (await self._visible(job_id)).job.kind)
