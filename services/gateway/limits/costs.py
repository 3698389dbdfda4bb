"""What a call takes at most, and what it took."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc
import structlog

from scic.errors import ScicError
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2 as jobs
from services.gateway.callers.principal import Principal
from services.gateway.jobs.job_id import item_request_id, job_id
from services.gateway.limits.rule import SUBMITTED_WORK
from services.gateway.profiles.ports import Profiles

Estimate: TypeAlias = Callable[[Principal, Any], Awaitable[int]]
"""Tokens that a call takes at most, by its caller and its request, unchecked as it came: it may be no message at all,
and of a stream it is the iterator."""

_MOST_TOKENS: Final = 1_000_000
"""What a context may have at most."""

_MOST_CONTEXTS: Final = 1_000
"""What a job may build; one of more is refused behind the limits."""

_MOST_UNKNOWN: Final = 8
"""Profiles of a job that are looked for in vain: each costs a look into the storage."""

_MAY_HAVE_BEGUN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Work:
    """What a call has done: the work of a job is that of other methods."""

    method: str
    requests: int


def work_of(method: str, request: Any) -> Work:
    """What a call of `method` (`BuildContext`) is charged for."""
    if isinstance(request, jobs.SubmitJobRequest) and (kind := request.WhichOneof("work")):
        return Work(SUBMITTED_WORK[kind], max(len(request.contexts.requests), 1))
    return Work(method, 1)


def used_tokens(response: Any) -> int | None:
    """Tokens that a response took; None where it does not say, and the estimate stays."""
    return response.tokens.total if isinstance(response, pb.BuildContextResponse) else None


def did_nothing(response: Any) -> bool:
    """Whether what was asked for had been done, and charged, before."""
    return isinstance(response, jobs.SubmitJobResponse) and not response.created


def may_go_on(request: Any, error: BaseException) -> bool:
    """Whether the work of a call that failed may be done all the same: of a job nobody knows whether it was put in."""
    refused = isinstance(error, ScicError) and error.code not in _MAY_HAVE_BEGUN
    return isinstance(request, jobs.SubmitJobRequest) and not refused


class ContextTokens:
    """The estimate of what contexts take: the bound of each request, or else that of the profile it follows.

    A request whose profile is not found, or names no bound either, takes nothing: it is refused behind the limits.
    """

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    async def __call__(self, principal: Principal, request: Any) -> int:
        """See Estimate."""
        if isinstance(request, pb.BuildContextRequest):
            unit = request.conversation_id or request.request_id or _request_id()
            return await self._of(principal.tenant, request, unit) or 0
        if isinstance(request, jobs.SubmitJobRequest):
            return await self._of_job(principal.tenant, request)
        return 0

    async def _of_job(self, tenant: str, request: jobs.SubmitJobRequest) -> int:
        name = request.request_id or _request_id()
        job = jobs.Job(request_id=name, job_id=job_id(tenant, name))
        unknown: set[str] = set()
        tokens = 0
        for index, one in enumerate(request.contexts.requests[:_MOST_CONTEXTS]):
            if one.profile in unknown:
                continue
            if len(unknown) >= _MOST_UNKNOWN:
                tokens += max(one.max_tokens, 0) or _MOST_TOKENS
                continue
            takes = await self._of(tenant, one, one.conversation_id or one.request_id or item_request_id(job, index))
            if takes is None:
                unknown.add(one.profile)
            tokens += takes or 0
        return tokens

    async def _of(self, tenant: str, request: pb.BuildContextRequest, unit: str) -> int | None:
        """Tokens of a context at most; None where its profile cannot be had."""
        if request.max_tokens:
            return max(request.max_tokens, 0)
        try:
            resolved = await self._profiles.resolve(tenant, request.profile, unit)
        except ScicError:
            return None
        return resolved.profile.max_tokens


def _request_id() -> str:
    """What a request is called that names itself not: as the servicers do."""
    name: str = structlog.contextvars.get_contextvars().get("request_id", "")
    return name
