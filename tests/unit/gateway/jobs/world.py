"""A worker with everything it needs, over stand-ins behind the ports."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context_pb
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as pb
from scic.type.v1 import degradation_pb2
from services.chassis.deadline import Deadline
from services.gateway.callers.principal import KeyRing, Principal, Role
from services.gateway.contexts.delivery import Delivery
from services.gateway.ingestion.batch import failed
from services.gateway.ingestion.incoming import IncomingDocument
from services.gateway.jobs.attempt import Attempts
from services.gateway.jobs.submission import submission_of
from services.gateway.jobs.work_contexts import ContextWork
from services.gateway.jobs.work_documents import DocumentWork
from services.gateway.jobs.worker import Worker
from services.gateway.signals import LocalSignals
from services.gateway.sources.source import BUILT_IN, Sources
from tests.unit.gateway.jobs.memory_queue import FakeQueue
from tests.waiting import eventually

BOTH = frozenset({Role.READER, Role.WRITER})
ANNA = Principal("anna", "acme", BOTH, frozenset({"hr"}))
BEN = Principal("ben", "other", BOTH)
UNAVAILABLE = errors.STAGE_UNAVAILABLE.error("the selector does not answer", metadata={"stage": "selector"})

Behaviour = Callable[[int], Awaitable[None]]
"""What happens where something is done for the n-th time, from 1."""


@dataclass
class FakeContexts:
    """Answers each question with itself, but where a test says what happens."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    degraded: set[str] = field(default_factory=set)
    asked: list[tuple[Principal, context_pb.BuildContextRequest]] = field(default_factory=list)
    begun: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    cancelled: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def build(
        self, principal: Principal, request: context_pb.BuildContextRequest, deadline: Deadline
    ) -> Delivery:
        assert 0 < deadline.remaining() <= 60
        question = request.question
        self.asked.append((principal, request))
        self.begun[question] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            if behaviour := self.behaviours.get(question):
                await behaviour(self.begun[question])
        except asyncio.CancelledError:
            self.cancelled.append(question)
            raise
        finally:
            self.at_once -= 1
        built = context_pb.BuildContextResponse(request_id=request.request_id)
        built.evidence.add(document_id=f"{question}.md")
        built.dropped.add(document_id="dropped.md")
        if question in self.degraded:
            built.degradations.add(stage=degradation_pb2.STAGE_COMPRESS, reason="STAGE_UNAVAILABLE", detail="plain")
        return Delivery(built)


@dataclass
class FakeIngester:
    """Keeps contents by document id, but where a test says what happens."""

    sources: Sources = field(default_factory=lambda: BUILT_IN.holding)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    begun: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    batches: list[list[str]] = field(default_factory=list)

    async def ingest(
        self,
        principal: Principal,
        batch: Sequence[IncomingDocument],
        *,
        before_write: Callable[[], Awaitable[None]] | None = None,
    ) -> list[corpus_pb.IngestDocumentsResponse]:
        names = [one.input.document_id for one in batch]
        assert len(set(names)) == len(names)
        self.batches.append(names)
        outcomes = [await self._prepare(one) for one in batch]
        if before_write is not None:
            await before_write()
        return [self._store(one, outcome) for one, outcome in zip(batch, outcomes, strict=True)]

    async def _prepare(self, incoming: IncomingDocument) -> corpus_pb.IngestDocumentsResponse | None:
        name = incoming.input.document_id
        self.begun[name] += 1
        try:
            if behaviour := self.behaviours.get(name):
                await behaviour(self.begun[name])
        except errors.ScicError as error:
            return failed(incoming.index, name, error)
        return None

    def _store(
        self, incoming: IncomingDocument, failure: corpus_pb.IngestDocumentsResponse | None
    ) -> corpus_pb.IngestDocumentsResponse:
        if failure is not None:
            return failure
        name = incoming.input.document_id
        self.stored[name] = incoming.input.content
        outcome = corpus_pb.IngestDocumentsResponse.OUTCOME_INDEXED
        return corpus_pb.IngestDocumentsResponse(document_id=name, index=incoming.index, outcome=outcome)


class World:
    """A queue, what workers work with, and as many workers as a test starts."""

    def __init__(
        self,
        *principals: Principal,
        lease_seconds: float = 15.0,
        context_seconds: float = 60.0,
        turn_seconds: float = 60.0,
    ) -> None:
        self.signals = LocalSignals()
        self.queue = FakeQueue(lease_seconds=lease_seconds, signals=self.signals, random=_NoPause())
        self.contexts, self.ingester = FakeContexts(), FakeIngester()
        self.keys = KeyRing({one.key_id.encode(): one for one in principals or (ANNA, BEN)})
        self._lease_seconds = lease_seconds
        self._context_seconds = context_seconds
        self._turn_seconds = turn_seconds

    def worker(self, *, places: int = 4, grace_seconds: float = 5.0) -> Worker:
        works: dict[Any, Any] = {
            pb.JOB_KIND_CONTEXTS: ContextWork(self.contexts, seconds=self._context_seconds),
            pb.JOB_KIND_DOCUMENTS: DocumentWork(self.ingester),
        }
        attempts = Attempts(self.queue, self.signals, self.keys, works, self._lease_seconds, self._turn_seconds)
        return Worker(self.queue, self.signals, attempts, places=places, grace_seconds=grace_seconds)

    async def ask(self, *questions: str, name: str = "job", owner: Principal = ANNA, **fields: Any) -> str:
        """Submits contexts; the job's id."""
        requests = [context_pb.BuildContextRequest(question=question) for question in questions]
        return await self.submit(name, owner, contexts=pb.ContextBatch(requests=requests), **fields)

    async def bring(
        self, *documents: tuple[str, str], name: str = "job", owner: Principal = ANNA, **fields: Any
    ) -> str:
        """Submits documents; the job's id."""
        inputs = [corpus_pb.DocumentInput(document_id=name, content=text.encode()) for name, text in documents]
        return await self.submit(name, owner, documents=pb.DocumentBatch(documents=inputs), **fields)

    async def submit(self, name: str, owner: Principal, **fields: Any) -> str:
        request = pb.SubmitJobRequest(request_id=name, **fields)
        stored, _ = await self.queue.submit(submission_of(owner, request, max_bytes=1 << 20))
        return stored.job.job_id

    async def job(self, job_id: str, tenant: str = "acme") -> pb.Job:
        return (await self.queue.get(tenant, job_id)).job

    async def ended(self, job_id: str, tenant: str = "acme") -> pb.Job:
        """The job, once it has ended."""

        async def has_ended() -> bool:
            return (await self.job(job_id, tenant)).HasField("end_time")

        await eventually("the job has ended", has_ended, within=30)
        return await self.job(job_id, tenant)

    async def results(self, job_id: str) -> list[pb.JobResult]:
        return [*await self.queue.results("acme", job_id, start=0, limit=1000)]


class _NoPause(Random):
    """The chance in a pause between attempts: there is none."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


def fails(*attempts: int, error: Exception = UNAVAILABLE) -> Behaviour:
    """Fails at the given times, always where none are given."""

    async def behaviour(number: int) -> None:
        if not attempts or number in attempts:
            raise error

    return behaviour


class Gate:
    """Holds what comes until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, number: int) -> None:
        self.reached.set()
        await self.opened.wait()
