"""Watches a job through streams that break off."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import chain
from typing import Final

import grpc
import grpc.aio

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb

PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, *(5.0,) * 12)
"""Seconds before each try to go on, shortened at random by up to a half; together a minute or so. One event, and they
begin anew."""

_LONGEST_PAUSE: Final = 60.0
"""Seconds; who is to wait for longer is told."""

_LOST: Final = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)
"""What grpc or a proxy says, without a reason of ours, of a stream whose server was killed or left."""

_TOO_MUCH: Final = (errors.OVERLOADED.name, errors.RATE_LIMITED.name)

Call = grpc.aio.UnaryStreamCall[pb.WatchJobRequest, pb.WatchJobResponse]


async def watch(
    begin: Callable[[str], Call], position: str, pauses: Sequence[float]
) -> AsyncGenerator[pb.WatchJobResponse, None]:
    """The events after `position`, to the job's end; `begin` opens a stream at a position.

    A stream that breaks off goes on where it was; where that position is gone meanwhile, with the first event that is
    kept. Raises ScicError for what else goes wrong, and where none of the tries brings an event.
    """
    waits = chain((0.0,), pauses)
    first = True  # a position that is gone from the beginning is a mistake of the caller
    while True:
        call = begin(position)
        try:
            async for event in call:
                position, first, waits = event.position, False, chain((0.0,), pauses)
                yield event
        except grpc.aio.AioRpcError as error:
            told = errors.from_rpc_error(error)
            wait = next(waits, None)
            passed = not first and bool(position) and told.reason == errors.POSITION_GONE.name
            if wait is None or not (passed or _may_pass(told)):
                raise told from error
            position, first = "" if passed else position, False
        else:
            return
        finally:
            call.cancel()
        await asyncio.sleep(max(told.retry_after or 0.0, wait * random.uniform(0.5, 1.0)))  # noqa: S311 - no secret


def _may_pass(told: errors.ScicError) -> bool:
    """Whether the stream may go on in a while."""
    if (told.retry_after or 0.0) > _LONGEST_PAUSE:
        return False
    if told.reason in _TOO_MUCH:
        return told.retry_after is not None
    if told.code in _LOST:
        # A bug of the service, which would come again, has the code's name as its reason, too, and an id.
        return told.reason == told.code.name and "error_id" not in told.metadata
    return told.code is grpc.StatusCode.UNAVAILABLE
