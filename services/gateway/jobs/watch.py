"""What happens to a job, as it happens."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.ports import Event, JobQueue, job_topic
from services.gateway.signals import Signals

_LOOK_SECONDS = 2.0
"""Word of an event may get lost, so a watcher looks by itself."""

ENDED = frozenset({pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED})
"""Where a job stays, unless it is replayed."""


async def watch(
    queue: JobQueue, signals: Signals, tenant: str, job: pb.Job, *, after: str, is_leaving: Callable[[], bool]
) -> AsyncGenerator[Event]:
    """Events of a job from a position on, until it has ended. Raises what JobQueue.events does.

    Raises QUEUE_UNAVAILABLE where `is_leaving` tells that the server is about to go: another one goes on from the last
    position. It is asked after each look, so a stream that comes meanwhile is not turned away at once.
    """
    state = job.state
    with signals.expect(job_topic(tenant, job.job_id)) as word:
        while True:
            word.clear()
            events = await queue.events(tenant, job.job_id, after=after)
            for event in events:
                yield event
                after, state = event.position, event.job.state
            if events:
                # There may be more than one answer holds.
                continue
            if state in ENDED:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await word.wait()
            if is_leaving():
                raise errors.QUEUE_UNAVAILABLE.error("the server is stopping; watch again from the last position")
