"""Pages of jobs and of their results: sizes and tokens."""

from collections.abc import AsyncIterator

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.chassis.page_token import ForeignPageTokenError, last_listed, page_token
from services.gateway.callers.principal import Principal
from services.gateway.jobs.ports import JobQueue, StoredJob
from services.gateway.jobs.visibility import is_visible

_JOBS = 100
_RESULTS = 20
_PAGE_BYTES = (4 << 20) - (64 << 10)
"""A client of gRPC takes 4 MiB where nobody told it otherwise; what stands around the results needs some of it."""

_LOOKED_AT = 2_000
"""Jobs that one page looks at: where few are in the wanted state, pages are short, and their tokens lead on."""


async def job_page(queue: JobQueue, caller: Principal, request: pb.ListJobsRequest) -> pb.ListJobsResponse:
    """A page of the jobs that the caller may see. Raises INVALID_FIELD."""
    conditions = f"jobs {request.state}"
    size = request.page_size or _JOBS
    response = pb.ListJobsResponse()
    last, looked_at = "", 0
    async for stored in _after(queue, caller.tenant, _last(request.page_token, conditions)):
        if len(response.jobs) == size or looked_at == _LOOKED_AT:
            response.next_page_token = page_token(conditions, last)
            break
        last, looked_at = stored.job.job_id, looked_at + 1
        if request.state in {pb.JOB_STATE_UNSPECIFIED, stored.job.state} and is_visible(stored, caller):
            response.jobs.append(stored.job)
    return response


async def result_page(queue: JobQueue, tenant: str, request: pb.ListJobResultsRequest) -> pb.ListJobResultsResponse:
    """A page of a job's results. Raises INVALID_FIELD."""
    conditions = f"results {request.job_id}"
    last = _last(request.page_token, conditions)
    size = request.page_size or _RESULTS
    response = pb.ListJobResultsResponse()
    room, start = _PAGE_BYTES, int(last) + 1 if last else 0
    while results := await queue.results(tenant, request.job_id, start=start, limit=size + 1 - len(response.results)):
        for result in results:
            room -= result.ByteSize()
            if len(response.results) == size or (room < 0 and response.results):
                response.next_page_token = page_token(conditions, str(response.results[-1].index))
                return response
            response.results.append(result)
            start = result.index + 1
    return response


async def _after(queue: JobQueue, tenant: str, last: str) -> AsyncIterator[StoredJob]:
    """Jobs from the one after `last` on. Raises INVALID_FIELD where that is forgotten."""
    try:
        async for stored in queue.list(tenant, before=last):
            yield stored
    except errors.ScicError as error:
        if error.reason != errors.JOB_NOT_FOUND.name:
            raise
        raise _foreign("the last job of the page before is forgotten; list from the start") from None


def _last(token: str, conditions: str) -> str:
    try:
        return last_listed(token, conditions)
    except ForeignPageTokenError:
        raise _foreign("the page token is not of this listing") from None


def _foreign(message: str) -> errors.ScicError:
    return errors.INVALID_FIELD.error(
        message, field_violations=[("page_token", "must be the next_page_token of a page with the same conditions")]
    )
