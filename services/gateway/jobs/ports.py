"""What jobs need of a queue."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.rpc import status_pb2

from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.callers.principal import Principal


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to be put into the queue."""

    job_id: str
    request_id: str
    owner: Principal
    """Who submits it: the job is of its tenant, and may read and write what it may."""

    kind: pb.JobKind.ValueType
    payload: bytes
    """A serialized ContextBatch or DocumentBatch, masked in no way: it is kept until the job is done, no longer."""

    digest: str
    """Of everything that was asked for but the request's id: the same id with another digest is refused."""

    item_count: int
    priority: int
    """1 to 5, the highest first."""

    max_attempts: int
    retention_seconds: float
    document_ids: Sequence[str]
    """Documents that the payload holds."""

    subjects: Sequence[str]
    """Subjects of those documents."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job in the queue."""

    job: pb.Job
    owner: Principal


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a worker has taken, until its lease ends."""

    job: pb.Job
    owner: Principal
    payload: bytes
    token: str
    """Names this attempt: whatever a worker reports under a token that is no longer the job's has no effect."""

    done: frozenset[int]
    """Items that have a result already, from an attempt before."""


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item."""

    result: pb.JobResult
    document_ids: Sequence[str]
    """Documents that it names: it goes with them."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job."""

    position: str
    job: pb.Job


class LostClaimError(Exception):
    """The job is no longer the worker's: it was cancelled, taken over, erased, or has ended."""


def job_topic(tenant: str, job_id: str) -> str:
    """What is spoken of with each event of a job."""
    return f"job:{tenant}:{job_id}"


class JobQueue(Protocol):
    """Jobs of all tenants, durable once a method has returned.

    Every method raises ScicError QUEUE_UNAVAILABLE where the queue does not answer, and JOB_NOT_FOUND where it is given
    a job that does not exist.
    """

    async def submit(self, submission: Submission) -> tuple[StoredJob, bool]:
        """Puts a job in; False with the job of the same id that is there. Raises REQUEST_ID_REUSED, JOB_QUEUE_FULL.

        The metadata of the latter name the bound: `limit_jobs` or `limit_bytes`.
        """
        ...

    async def get(self, tenant: str, job_id: str) -> StoredJob:
        """A job."""
        ...

    def list(self, tenant: str, *, before: str) -> AsyncIterator[StoredJob]:
        """Jobs, newest first, from the one after `before` on; "": from the newest."""
        ...

    async def results(self, tenant: str, job_id: str, *, start: int, limit: int) -> Sequence[pb.JobResult]:
        """Results of items that are done, in their order, from index `start` on.

        At most `limit`, and fewer where they are large; none only where there is none.
        """
        ...

    async def events(self, tenant: str, job_id: str, *, after: str) -> Sequence[Event]:
        """Events after a position, "" being before the first that is kept; none where nothing has happened since.

        Raises POSITION_GONE. A signal of the topic `job:TENANT:JOB_ID` comes with each event.
        """
        ...

    async def cancel(self, tenant: str, job_id: str) -> StoredJob:
        """Ends a job; one that is cancelled already stays so. Raises JOB_FINISHED."""
        ...

    async def replay(self, tenant: str, job_id: str) -> StoredJob:
        """Puts a dead or cancelled job in again. Raises JOB_NOT_REPLAYABLE, JOB_QUEUE_FULL."""
        ...

    async def claim(self) -> Claim | None:
        """The next job that may run, or one whose worker is gone; None where there is none.

        Between tenants in turn, within a tenant by priority, none of them starved. A signal of the topic `queue` comes
        with each job that is put in. A job whose worker died with its last attempt becomes dead, JOB_ABANDONED; an
        attempt that had kept a result does not count then. A job whose worker died twice in a row before it kept one
        waits for a while by chance, and only one such job of a tenant begins at a time.
        """
        ...

    async def heartbeat(self, claim: Claim) -> None:
        """Renews a claim's lease. Raises LostClaimError."""
        ...

    async def record(self, claim: Claim, results: Mapping[int, ItemResult]) -> None:
        """Keeps results of items, once each, and renews the lease. Raises LostClaimError, and keeps nothing then.

        So does JOB_QUEUE_FULL: the tenant's jobs have as many bytes as they may.
        """
        ...

    async def succeed(self, claim: Claim) -> None:
        """Ends a job of which every item has a result. Raises LostClaimError."""
        ...

    async def fail(self, claim: Claim, error: status_pb2.Status, *, final: bool = False, counted: bool = True) -> None:
        """Ends an attempt: the job waits for its next one, or is dead where `final` or where there is none left.

        One that is not `counted` leaves as many as there were. Raises LostClaimError.
        """
        ...

    async def release(self, claim: Claim, *, last: bool = False) -> None:
        """Gives a job back unfinished, at once and without counting the attempt.

        It is the next to be begun, or with `last` the last of its priority. Raises LostClaimError.
        """
        ...

    async def leave(self, claim: Claim) -> None:
        """Says that nothing of an attempt whose claim was lost goes on: an erasure waits for that."""
        ...

    async def is_anyone_waiting(self) -> bool:
        """Whether some tenant has a job that could begin now."""
        ...

    async def erase_documents(self, tenant: str, document_ids: Sequence[str], subject: str) -> int:
        """Erases all results that name one of the documents, and jobs whose payload holds one or is of the subject.

        Such a job, where it waits or runs, is dead with RESULT_ERASED. Returns how many jobs lost something, when the
        workers of those that ran have stopped. Raises QUEUE_UNAVAILABLE where one does not say so within seconds: it
        may still store what it had; the same call again waits for it, at most for a lease and two minutes.
        """
        ...

    async def erase_tenant(self, tenant: str) -> int:
        """Erases all jobs of a tenant; returns how many there were. Waits for their workers as `erase_documents`."""
        ...
