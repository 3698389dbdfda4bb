"""What happens to a job, as it happens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.ports import Event, JobQueue
from services.gateway.signals import Signals

_LOOK_SECONDS = 2.0
"""Word of an event may get lost, so a watcher looks by itself."""

ENDED = frozenset({pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED})
"""Where a job stays, unless it is replayed."""


async def watch(queue: JobQueue, signals: Signals, tenant: str, job: pb.Job, *, after: str) -> AsyncGenerator[Event]:
    """Events of a job from a position on, until it has ended. Raises what JobQueue.events does."""
    state = job.state
    with signals.expect(f"job:{tenant}:{job.job_id}") as word:
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
