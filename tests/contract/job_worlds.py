"""Queues for tests: in memory, on one server, on a cluster; time in them passes as a test says."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from redis.asyncio import Redis, RedisCluster

from scic import errors
from scic.errors import ScicError, from_status, to_status
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import job_service_pb2 as pb
from services.chassis.breaker import Breaker
from services.gateway.admission.priority import Priority
from services.gateway.callers.principal import Principal, Role
from services.gateway.jobs.ports import Claim, ItemResult, JobQueue, StoredJob, Submission
from services.gateway.jobs.redis_job_queue import RedisJobQueue
from tests.unit.gateway.jobs.memory_queue import FakeQueue
from tests.valkey import Valkey

LEASE = 30.0
MOST = 50
NOON = 1_795_694_400.0
LONGEST_PAUSE = 60.0

QUEUED, RUNNING, SUCCEEDED = pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED
DEAD, CANCELLED = pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED

BROKEN = to_status(errors.STAGE_UNAVAILABLE.error("the selector does not answer"))


class World(Protocol):
    """A queue and its time."""

    queue: JobQueue

    async def passes(self, seconds: float) -> None:
        """Time passes in which workers look at the queue."""
        ...


@dataclass
class MemoryWorld:
    now: float = NOON
    queue: JobQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = FakeQueue(lease_seconds=LEASE, max_waiting=MOST, clock=lambda: self.now)

    async def passes(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class RedisWorld:
    redis: Redis | RedisCluster
    passed: float = 0.0
    queue: JobQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = self.another_queue()

    def another_queue(self, **options: Any) -> RedisJobQueue:
        """As another gateway has it."""
        return redis_queue(self.redis, clock=lambda: time.monotonic() + self.passed, **options)

    async def passes(self, seconds: float) -> None:
        self.passed += seconds
        await self.shift(-seconds)

    async def shift(self, seconds: float, *, seen: bool = False) -> None:
        """Moves all that is to happen, and with `seen` when a worker last looked, too: as if the clock were moved."""
        ms = int(seconds * 1000)
        async for key in self.redis.scan_iter("scic-jobs:{*"):
            name = key.decode().partition("}:")[2]
            if name in {"delayed", "expiring", "leases", "leaving"}:
                # What was given back has no moment.
                for member in cast("list[bytes]", await self.redis.zrange(key, 1, "+inf", byscore=True)):
                    await self.redis.zincrby(key, ms, member)
            elif name.startswith("job:"):
                for moment in ("expire", "said"):
                    if value := await self.redis.hget(key, moment):
                        await self.redis.hset(key, moment, str(int(value) + ms))
            elif name == "state" and seen and (value := await self.redis.hget(key, "seen")):
                await self.redis.hset(key, "seen", str(int(value) + ms))


@asynccontextmanager
async def client(server: Valkey) -> AsyncIterator[Redis | RedisCluster]:
    kind = RedisCluster if server.cluster else Redis
    async with kind.from_url(server.url, socket_timeout=20) as redis:
        yield redis


def redis_queue(
    redis: Redis | RedisCluster,
    *,
    lease: float = LEASE,
    most: int = MOST,
    most_bytes: int = 1 << 28,
    clock: Callable[[], float] = time.monotonic,
) -> RedisJobQueue:
    return RedisJobQueue(
        redis, Breaker("jobs-test"), lease_seconds=lease, max_waiting=most, max_bytes=most_bytes, clock=clock
    )


@asynccontextmanager
async def redis_world(server: Valkey) -> AsyncIterator[RedisWorld]:
    async with client(server) as redis:
        await redis.flushall()
        yield RedisWorld(redis)


def owner(tenant: str = "acme", key_id: str = "key") -> Principal:
    return Principal(
        key_id,
        tenant,
        frozenset({Role.READER, Role.WRITER}),
        frozenset({"sales"}),
        trusted=True,
        priority=Priority.HIGH,
    )


def submission(
    name: str = "one",
    *,
    tenant: str = "acme",
    items: int = 2,
    priority: int = 3,
    max_attempts: int = 3,
    payload: bytes = b"payload",
    documents: Sequence[str] = (),
    subjects: Sequence[str] = (),
    retention: float = 3600.0,
) -> Submission:
    return Submission(
        job_id=f"job-{name}",
        request_id=name,
        owner=owner(tenant),
        kind=pb.JOB_KIND_CONTEXTS,
        payload=payload,
        digest=hashlib.sha256(payload).hexdigest(),
        item_count=items,
        priority=priority,
        max_attempts=max_attempts,
        retention_seconds=retention,
        document_ids=documents,
        subjects=subjects,
    )


def built(index: int, *documents: str, text: str = "context") -> ItemResult:
    """An item that went well."""
    reply = context.BuildContextResponse(request_id=text)
    return ItemResult(pb.JobResult(index=index, context=reply), documents)


def refused(index: int, error: ScicError) -> ItemResult:
    """An item that did not."""
    return ItemResult(pb.JobResult(index=index, error=to_status(error)), ())


async def listed(queue: JobQueue, tenant: str = "acme", before: str = "") -> list[StoredJob]:
    return [stored async for stored in queue.list(tenant, before=before)]


async def claimed(queue: JobQueue) -> Claim:
    claim = await queue.claim()
    assert claim is not None
    return claim


async def done(queue: JobQueue, claim: Claim) -> None:
    await queue.record(claim, {index: built(index) for index in range(claim.job.item_count)})
    await queue.succeed(claim)


async def state(queue: JobQueue, name: str = "one") -> pb.JobState.ValueType:
    return (await queue.get("acme", f"job-{name}")).job.state


async def reason(queue: JobQueue, name: str = "one") -> str:
    return from_status((await queue.get("acme", f"job-{name}")).job.error).reason
