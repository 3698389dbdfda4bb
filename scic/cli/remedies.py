"""What helps at a terminal against what the mesh refuses."""

import math
from types import MappingProxyType
from typing import Final

import grpc

from scic import errors
from scic.cli.duration import spoken
from scic.cli.field_words import in_options

_REMEDIES: Final = MappingProxyType(
    {
        errors.REQUEST_ID_REUSED.name: "give another --request-id, or the same command as before",
        errors.JOB_NOT_FOUND.name: "`scic jobs list` shows those that the key may see",
        errors.JOB_FINISHED.name: "`scic jobs results` prints what came of it",
        errors.JOB_NOT_REPLAYABLE.name: "submit a new one",
        errors.JOB_QUEUE_FULL.name: "try again when some are done; `scic jobs list` shows them",
        errors.POSITION_GONE.name: "leave out --from",
        errors.QUEUE_NOT_CONFIGURED.name: "an operator sets SCIC_GATEWAY_REDIS_URL",
        errors.QUEUE_UNAVAILABLE.name: "try again; a job that was submitted is not lost",
    }
)


def sentence(error: errors.ScicError) -> str:
    """What a command that failed says of it."""
    # What grpc or Envoy say of a connection does not name the mesh.
    away = error.reason == grpc.StatusCode.UNAVAILABLE.name
    return f"{'the mesh does not answer: ' if away else ''}{with_remedy(error)}"


def with_remedy(error: errors.ScicError) -> str:
    """The sentence of an error, and what to do where that is known: when to try again, before all."""
    said = in_options(error)
    if error.retry_after is not None:
        return f"{said}; try again in {spoken(max(math.ceil(error.retry_after), 1))}"
    remedy = _REMEDIES.get(error.reason)
    return f"{said}; {remedy}" if remedy else said
