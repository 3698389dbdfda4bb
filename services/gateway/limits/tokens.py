"""How many tokens a request may take at most, and how many it took."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2 as jobs
from services.gateway.principal import Principal

Estimate: TypeAlias = Callable[[str, Principal, Any], int]
"""Tokens that a request takes at most, by its method (`BuildContext`), its caller and itself, unchecked as it came: it
may be no message at all, and of a stream it is the iterator."""


@dataclass(frozen=True, slots=True)
class ContextTokens:
    """The estimate of what contexts take; a job that builds some is charged with all of them as it is submitted."""

    unnamed: int
    """For a request that leaves `max_tokens` to its profile."""

    def __call__(self, method: str, principal: Principal, request: Any) -> int:
        """See Estimate."""
        if isinstance(request, pb.BuildContextRequest):
            return request.max_tokens or self.unnamed
        if isinstance(request, jobs.SubmitJobRequest):
            return sum(one.max_tokens or self.unnamed for one in request.contexts.requests)
        return 0


def used_tokens(response: Any, estimated: int) -> int:
    """Tokens of a response; as estimated where it does not say."""
    return response.tokens.total if isinstance(response, pb.BuildContextResponse) else estimated
