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

Call = grpc.aio.UnaryStreamCall[pb.WatchJobRequest, pb.WatchJobResponse]


async def watch(
    begin: Callable[[str], Call], position: str, pauses: Sequence[float]
) -> AsyncGenerator[pb.WatchJobResponse, None]:
    """The events after `position`, to the job's end; `begin` opens a stream at a position.

    A stream that is away goes on where it broke off. Raises ScicError for what else goes wrong, and where none of the
    tries brings an event.
    """
    waits = chain((0.0,), pauses)
    while True:
        call = begin(position)
        try:
            async for event in call:
                position, waits = event.position, chain((0.0,), pauses)
                yield event
        except grpc.aio.AioRpcError as error:
            told = errors.from_rpc_error(error)
            wait = next(waits, None)
            if told.code is not grpc.StatusCode.UNAVAILABLE or wait is None:
                raise told from error
        else:
            return
        finally:
            call.cancel()
        await asyncio.sleep(max(told.retry_after or 0.0, wait * random.uniform(0.5, 1.0)))  # noqa: S311 - no secret
