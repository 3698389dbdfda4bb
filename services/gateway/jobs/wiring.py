"""A worker, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.callers.principal import KeyRing
from services.gateway.jobs.attempt import Attempts
from services.gateway.jobs.ports import JobQueue
from services.gateway.jobs.work_contexts import Contexts, ContextWork
from services.gateway.jobs.work_documents import DocumentWork, Ingester
from services.gateway.jobs.worker import Worker
from services.gateway.signals import Signals


@asynccontextmanager
async def working(
    queue: JobQueue,
    signals: Signals,
    keys: KeyRing,
    contexts: Contexts,
    ingester: Ingester,
    *,
    places: int,
    lease_seconds: float,
    grace_seconds: float,
) -> AsyncIterator[Worker]:
    """A worker that works for as long as the context lasts.

    Args:
        queue: where the jobs are.
        signals: word of new jobs, and of what happens to those that run.
        keys: the keys as they are now.
        contexts: builds contexts.
        ingester: takes documents in.
        places: jobs at a time.
        lease_seconds: that of the queue.
        grace_seconds: how long jobs under way may take at the end, before they are given back.
    """
    attempts = Attempts(
        queue,
        signals,
        keys,
        {pb.JOB_KIND_CONTEXTS: ContextWork(contexts), pb.JOB_KIND_DOCUMENTS: DocumentWork(ingester)},
        lease_seconds,
    )
    async with Worker(queue, signals, attempts, places=places, grace_seconds=grace_seconds) as worker:
        yield worker
