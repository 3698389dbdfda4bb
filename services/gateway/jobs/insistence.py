"""Calls to a queue that may be away for a while: made again until it answers."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from scic import errors
from services.chassis.logs import get_logger
from services.gateway.jobs.ports import LostClaimError

_Reply = TypeVar("_Reply")

_PAUSE_SECONDS = 0.5

_log = get_logger(__name__)


async def insist(call: Callable[[], Awaitable[_Reply]]) -> _Reply:
    """What a claim's call answers, however long the queue is away: the work that it is about is not lost by that.

    Safe to repeat are all of them: what took effect, and whose answer was lost, has no effect the second time. Raises
    LostClaimError, also where the job is not there any more.
    """
    said = False
    while True:
        try:
            return await call()
        except errors.ScicError as error:
            if error.reason == errors.JOB_NOT_FOUND.name:
                raise LostClaimError from error
            if error.reason != errors.QUEUE_UNAVAILABLE.name:
                raise
            if not said:
                _log.warning("queue_away", reason=error.reason)
            said = True
        await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
