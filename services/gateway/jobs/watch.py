"""What happens to a job, as it happens."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.ports import Event, JobQueue, job_topic
from services.gateway.signals import Signals

_LOOK_SECONDS = 20.0
"""Word of an event may get lost, so a watcher looks by itself: rarely, since thousands may watch, and word is lost only
with a connection, when all are told to look."""

_LEAVING_SECONDS = 2.0
"""So often a watcher asks whether its server is about to go."""

_PAUSE_SECONDS = 1.0
_MOST_FAILED = 5
"""Looks in a row that may fail until a stream ends: Redis may restart under it."""

ENDED = frozenset({pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED})
"""Where a job stays, unless it is replayed."""


async def watch(
    queue: JobQueue, signals: Signals, tenant: str, job: pb.Job, *, after: str, is_leaving: Callable[[], bool]
) -> AsyncGenerator[Event]:
    """Events of a job from a position on, until it has ended. Raises what JobQueue.events does.

    Raises QUEUE_UNAVAILABLE where `is_leaving` tells that the server is about to go, or the queue was away for some
    seconds: another one goes on from the last position. `is_leaving` is asked after each look, so a stream that comes
    meanwhile is not turned away at once.
    """
    state = job.state
    with signals.expect(job_topic(tenant, job.job_id)) as word:
        while True:
            word.clear()
            events = await _look(queue, tenant, job.job_id, after, is_leaving)
            for event in events:
                yield event
                after, state = event.position, event.job.state
            if events:
                # There may be more than one answer holds.
                continue
            if state in ENDED:
                return
            await _hear(word, is_leaving)


async def _look(
    queue: JobQueue, tenant: str, job_id: str, after: str, is_leaving: Callable[[], bool]
) -> Sequence[Event]:
    failed = 0
    while True:
        try:
            return await queue.events(tenant, job_id, after=after)
        except errors.ScicError as error:
            failed += 1
            if error.reason != errors.QUEUE_UNAVAILABLE.name or failed == _MOST_FAILED or is_leaving():
                raise
        await asyncio.sleep(_jittered(_PAUSE_SECONDS))


async def _hear(word: asyncio.Event, is_leaving: Callable[[], bool]) -> None:
    """Returns when there is word, or when it is time to look without."""
    seconds = _jittered(_LOOK_SECONDS)
    while seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LEAVING_SECONDS)):
                await word.wait()
        seconds = 0 if word.is_set() else seconds - _LEAVING_SECONDS
        if is_leaving():
            raise errors.QUEUE_UNAVAILABLE.error("the server is stopping; watch again from the last position")


def _jittered(seconds: float) -> float:
    """All who watch notice a lost Redis at once, and must not all come back at once."""
    return random.uniform(0.5, 1.0) * seconds  # noqa: S311 - jitter, not a secret
