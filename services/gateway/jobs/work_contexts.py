"""Jobs that build contexts."""

import asyncio
from typing import Protocol

from structlog.contextvars import bound_contextvars

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context_pb
from scic.gateway.v1 import job_service_pb2 as pb
from services.chassis.deadline import Deadline
from services.gateway.cache.documents import documents_of
from services.gateway.callers.principal import Principal
from services.gateway.contexts.delivery import Delivery
from services.gateway.jobs.job_id import item_request_id
from services.gateway.jobs.ports import Claim, ItemResult
from services.gateway.jobs.retriable import is_passing, is_retriable
from services.gateway.jobs.work import Done, Tenure, do_all

_AT_A_TIME = 4
_SECONDS = 60.0
"""For each context: nobody waits at the other end, so it may take as long as the longest request."""


class Contexts(Protocol):
    """Builds contexts and records them."""

    async def build(
        self, principal: Principal, request: context_pb.BuildContextRequest, deadline: Deadline
    ) -> Delivery:
        """The context for a request. Raises ScicError for a request that cannot be answered."""
        ...


class ContextWork:
    """Builds the contexts of a batch; see Work."""

    def __init__(self, contexts: Contexts, *, seconds: float = _SECONDS) -> None:
        self._contexts = contexts
        self._seconds = seconds

    async def do(self, owner: Principal, claim: Claim, tenure: Tenure) -> None:
        """Builds those that have no result yet."""
        requests = pb.ContextBatch.FromString(claim.payload).requests
        last_attempt = claim.job.attempt_count >= claim.job.max_attempts

        async def build(index: int) -> Done:
            request = requests[index]
            request.request_id = request.request_id or item_request_id(claim.job, index)
            with bound_contextvars(request_id=request.request_id):
                return await self._build(owner, index, request, last_attempt=last_attempt)

        todo = [index for index in range(len(requests)) if index not in claim.done]
        await do_all(todo, build, tenure, at_a_time=_AT_A_TIME)

    async def _build(
        self, owner: Principal, index: int, request: context_pb.BuildContextRequest, *, last_attempt: bool
    ) -> Done:
        try:
            # No call ends with this deadline, as a caller's would, so here nothing else stops what does not heed it.
            async with asyncio.timeout(self._seconds):
                built = (await self._contexts.build(owner, request, Deadline.after(self._seconds))).message
        except TimeoutError:
            return Done(failure=errors.DEADLINE_EXCEEDED.error(f"a context took more than {self._seconds:g} s"))
        except errors.ScicError as error:
            if is_retriable(error):
                return Done(failure=error)
            return Done({index: ItemResult(pb.JobResult(index=index, error=errors.to_status(error)), ())})
        passing = [one for one in built.degradations if is_passing(one.reason)]
        if passing and not last_attempt:
            return Done(failure=errors.STAGE_UNAVAILABLE.error(f"a context came out less well: {passing[0].detail}"))
        return Done({index: ItemResult(pb.JobResult(index=index, context=built), documents_of(built))})
