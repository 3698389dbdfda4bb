"""The queue in memory: every promise of the port but that it outlives its process, and the bound of bytes."""

import copy
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from scic import errors
from scic.errors import ScicError
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.backoff import BUSY_ATTEMPT, pause
from services.gateway.jobs.ports import Claim, Event, ItemResult, LostClaimError, StoredJob, Submission, job_topic
from services.gateway.signals import LocalSignals

_ENDED = frozenset({pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED})
_MOST_EVENTS = 256
_SUSPICIOUS = 2
_RESULTS_BYTES = 1 << 20


@dataclass(slots=True)
class _Entry:
    """A job and all that is kept of it."""

    submission: Submission
    job: pb.Job
    payload: bytes | None
    order: int
    """Its place among those that wait; what is given back goes before all others."""

    token: str = ""
    ended: str = ""
    """Token of the last attempt that its worker ended."""

    lease_ends: float = 0.0
    fresh: bool = False
    """Whether the attempt has kept a result."""

    crashes: int = 0
    """Attempts in a row that ended with their worker and had kept none."""

    erasures: int = 0
    """Erasures of the tenant before the attempt began."""

    results: dict[int, ItemResult] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class _Tenant:
    """Jobs of a tenant, in the order in which they were submitted."""

    jobs: dict[str, _Entry] = field(default_factory=dict)
    turns: int = 0
    """New jobs that were begun."""

    served: int = 0
    erasures: int = 0
    erased: dict[str, int] = field(default_factory=dict)
    """Documents, and the number of the last erasure that named them."""


class FakeQueue:
    """See JobQueue.

    Args:
        lease_seconds: how long a claim lasts that nobody renews.
        max_waiting: jobs of a tenant that may wait.
        clock: seconds since 1970.
        random: makes the pauses between attempts.
        signals: told what a queue in Redis tells.
    """

    def __init__(
        self,
        *,
        lease_seconds: float = 15.0,
        max_waiting: int = 20_000,
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
        signals: LocalSignals | None = None,
    ) -> None:
        self.unavailable = False
        """Whether every method fails, as it does while Redis is away."""

        self._lease = lease_seconds
        self._max_waiting = max_waiting
        self._clock = clock
        self._random = random or Random()
        self._signals = signals or LocalSignals()
        self._tenants: dict[str, _Tenant] = {}
        self._numbers = itertools.count(1)

    async def submit(self, submission: Submission) -> tuple[StoredJob, bool]:
        """See JobQueue."""
        tenant = self._tenant(submission.owner.tenant)
        if entry := tenant.jobs.get(submission.job_id):
            if entry.submission.digest != submission.digest:
                raise errors.REQUEST_ID_REUSED.error(
                    "The request id names another job.", metadata={"job_id": submission.job_id}
                )
            return _stored(entry), False
        self._check_room(tenant)
        job = pb.Job(
            job_id=submission.job_id,
            request_id=submission.request_id,
            kind=submission.kind,
            state=pb.JOB_STATE_QUEUED,
            priority=submission.priority,
            max_attempts=submission.max_attempts,
            item_count=submission.item_count,
            key_id=submission.owner.key_id,
        )
        self._stamp(job.create_time)
        entry = _Entry(submission, job, submission.payload, next(self._numbers))
        tenant.jobs[submission.job_id] = entry
        self._say(entry)
        self._signals.speak("queue")
        return _stored(entry), True

    async def get(self, tenant: str, job_id: str) -> StoredJob:
        """See JobQueue."""
        return _stored(self._find(tenant, job_id))

    async def list(self, tenant: str, *, before: str) -> AsyncIterator[StoredJob]:
        """See JobQueue."""
        entries = [*reversed(self._tenant(tenant).jobs.values())]
        if before:
            after = entries.index(self._find(tenant, before)) + 1
            entries = entries[after:]
        for entry in entries:
            yield _stored(entry)

    async def results(self, tenant: str, job_id: str, *, start: int, limit: int) -> Sequence[pb.JobResult]:
        """See JobQueue."""
        results = self._find(tenant, job_id).results
        found, size = list[pb.JobResult](), 0
        for index in sorted(index for index in results if index >= start)[:limit]:
            size += results[index].result.ByteSize()
            if found and size > _RESULTS_BYTES:
                break
            found.append(copy.deepcopy(results[index].result))
        return found

    async def events(self, tenant: str, job_id: str, *, after: str) -> Sequence[Event]:
        """See JobQueue."""
        events = self._find(tenant, job_id).events
        if not after:
            return list(events)
        positions = [event.position for event in events]
        if after not in positions:
            raise errors.POSITION_GONE.error("The job has no event at this position any more.")
        return events[positions.index(after) + 1 :]

    async def cancel(self, tenant: str, job_id: str) -> StoredJob:
        """See JobQueue."""
        entry = self._find(tenant, job_id)
        if entry.job.state == pb.JOB_STATE_CANCELLED:
            return _stored(entry)
        if entry.job.state in _ENDED:
            raise errors.JOB_FINISHED.error("The job has ended.")
        self._end(entry, pb.JOB_STATE_CANCELLED)
        return _stored(entry)

    async def replay(self, tenant: str, job_id: str) -> StoredJob:
        """See JobQueue."""
        entry = self._find(tenant, job_id)
        if entry.job.state not in {pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED} or entry.payload is None:
            raise errors.JOB_NOT_REPLAYABLE.error("The job is neither dead nor cancelled, or was erased.")
        self._check_room(self._tenant(tenant))
        entry.job.state = pb.JOB_STATE_QUEUED
        entry.job.attempt_count = 0
        entry.crashes = 0
        for name in ("error", "start_time", "end_time", "retry_time", "expire_time"):
            entry.job.ClearField(name)
        entry.order = next(self._numbers)
        self._say(entry)
        self._signals.speak("queue")
        return _stored(entry)

    async def claim(self) -> Claim | None:
        """See JobQueue."""
        self._check()
        for name in sorted(self._tenants, key=self._turn):
            if entry := self._next(self._tenant(name)):
                self._tenants[name].served = next(self._numbers)
                return self._begin(self._tenants[name], entry)
        return None

    async def heartbeat(self, claim: Claim) -> None:
        """See JobQueue."""
        self._held(claim).lease_ends = self._clock() + self._lease

    async def record(self, claim: Claim, results: Mapping[int, ItemResult]) -> None:
        """See JobQueue."""
        entry = self._held(claim)
        tenant = self._tenants[claim.owner.tenant]
        entry.lease_ends = self._clock() + self._lease
        for index, item in results.items():
            if index in entry.results:
                continue
            entry.fresh, entry.crashes = True, 0
            erased = any(tenant.erased.get(name, 0) > entry.erasures for name in item.document_ids)
            entry.results[index] = _erased(index) if erased else copy.deepcopy(item)
        _count(entry)
        self._say(entry)

    async def succeed(self, claim: Claim) -> None:
        """See JobQueue."""
        if self._reported(claim):
            return
        entry = self._held(claim)
        if len(entry.results) != entry.job.item_count:
            raise ValueError("an item has no result")
        entry.ended = claim.token
        entry.payload = None
        entry.job.ClearField("error")
        self._end(entry, pb.JOB_STATE_SUCCEEDED)

    async def fail(self, claim: Claim, error: status_pb2.Status, *, final: bool = False, counted: bool = True) -> None:
        """See JobQueue."""
        if self._reported(claim):
            return
        entry = self._held(claim)
        entry.ended = claim.token
        entry.job.error.CopyFrom(error)
        entry.crashes = 0
        if final or (counted and entry.job.attempt_count >= entry.job.max_attempts):
            self._end(entry, pb.JOB_STATE_DEAD)
            return
        entry.job.state = pb.JOB_STATE_QUEUED
        self._stamp(entry.job.retry_time, pause(entry.job.attempt_count if counted else BUSY_ATTEMPT, self._random))
        entry.job.attempt_count -= not counted
        entry.order = next(self._numbers)
        self._say(entry)

    async def release(self, claim: Claim, *, last: bool = False) -> None:
        """See JobQueue."""
        if self._reported(claim):
            return
        entry = self._held(claim)
        entry.ended = claim.token
        entry.job.state = pb.JOB_STATE_QUEUED
        entry.job.attempt_count -= 1
        entry.order = next(self._numbers) * (1 if last else -1)
        self._say(entry)
        self._signals.speak("queue")

    async def leave(self, claim: Claim) -> None:
        """Nobody waits for that: what has lost its claim is in this process, and stops."""
        self._check()

    async def is_anyone_waiting(self) -> bool:
        """See JobQueue."""
        self._check()
        now = self._clock()
        return any(_waits(entry.job, now) for own in self._tenants.values() for entry in own.jobs.values())

    async def erase_documents(self, tenant: str, document_ids: Sequence[str], subject: str) -> int:
        """See JobQueue."""
        own = self._tenant(tenant)
        own.erasures += 1
        own.erased |= dict.fromkeys(document_ids, own.erasures)
        wanted, lost = frozenset(document_ids), 0
        for entry in own.jobs.values():
            named = [index for index, item in entry.results.items() if wanted.intersection(item.document_ids)]
            entry.results |= {index: _erased(index) for index in named}
            _count(entry)
            held = wanted.intersection(entry.submission.document_ids) or subject in entry.submission.subjects
            holds = bool(held) and entry.payload is not None
            lost += bool(named) or holds
            if holds:
                entry.payload = None
            if holds and entry.job.state not in _ENDED:
                entry.job.error.CopyFrom(_RESULT_ERASED)
                self._end(entry, pb.JOB_STATE_DEAD)
            elif named:
                self._say(entry)
        return lost

    async def erase_tenant(self, tenant: str) -> int:
        """See JobQueue."""
        count = len(self._tenant(tenant).jobs)
        for entry in self._tenants.pop(tenant).jobs.values():
            self._signals.speak(job_topic(tenant, entry.job.job_id))
        return count

    def _check(self) -> None:
        if self.unavailable:
            raise errors.QUEUE_UNAVAILABLE.error("The queue does not answer.")

    def _tenant(self, name: str) -> _Tenant:
        self._check()
        own = self._tenants.setdefault(name, _Tenant())
        now = self._clock()
        gone = [key for key, entry in own.jobs.items() if _ended_before(entry.job, now)]
        for key in gone:
            del own.jobs[key]
        return own

    def _find(self, tenant: str, job_id: str) -> _Entry:
        entry = self._tenant(tenant).jobs.get(job_id)
        if entry is None:
            raise errors.JOB_NOT_FOUND.error("There is no such job.")
        return entry

    def _held(self, claim: Claim) -> _Entry:
        try:
            entry = self._find(claim.owner.tenant, claim.job.job_id)
        except ScicError as error:
            if error.reason == errors.JOB_NOT_FOUND.name:
                raise LostClaimError from error
            raise
        if entry.job.state != pb.JOB_STATE_RUNNING or entry.token != claim.token:
            raise LostClaimError
        return entry

    def _reported(self, claim: Claim) -> bool:
        """Whether the worker said so before: it may not have heard the answer."""
        entry = self._tenant(claim.owner.tenant).jobs.get(claim.job.job_id)
        return entry is not None and entry.ended == claim.token

    def _check_room(self, tenant: _Tenant) -> None:
        waiting = sum(entry.job.state == pb.JOB_STATE_QUEUED for entry in tenant.jobs.values())
        if waiting >= self._max_waiting:
            raise errors.JOB_QUEUE_FULL.error(
                "The tenant has as many jobs waiting as it may.", metadata={"limit_jobs": str(self._max_waiting)}
            )

    def _turn(self, name: str) -> tuple[int, int]:
        """Who has the fewest running comes first, then who was served longest ago."""
        own = self._tenants[name]
        return sum(entry.job.state == pb.JOB_STATE_RUNNING for entry in own.jobs.values()), own.served

    def _next(self, own: _Tenant) -> _Entry | None:
        now = self._clock()
        for entry in own.jobs.values():
            if entry.job.state == pb.JOB_STATE_RUNNING and entry.lease_ends <= now:
                entry.job.attempt_count -= entry.fresh
                entry.crashes = 0 if entry.fresh else entry.crashes + 1
                if entry.job.attempt_count >= entry.job.max_attempts:
                    entry.job.error.CopyFrom(_ABANDONED)
                    self._end(entry, pb.JOB_STATE_DEAD)
                elif entry.crashes < _SUSPICIOUS:
                    return entry
                else:
                    entry.job.state = pb.JOB_STATE_QUEUED
                    self._stamp(entry.job.retry_time, pause(entry.crashes + 1, self._random))
                    self._say(entry)
        begun = [e for e in own.jobs.values() if e.job.state == pb.JOB_STATE_RUNNING and e.crashes >= _SUSPICIOUS]
        waiting = [
            entry
            for entry in own.jobs.values()
            if _waits(entry.job, now) and not (begun and entry.crashes >= _SUSPICIOUS)
        ]
        if not waiting:
            return None
        returned = [entry for entry in waiting if entry.order < 0]
        if returned:
            return min(returned, key=lambda entry: entry.order)
        own.turns += 1
        first = max(5 - ((own.turns & -own.turns).bit_length() - 1), 1)
        return min(waiting, key=lambda entry: (entry.job.priority != first, -entry.job.priority, entry.order))

    def _begin(self, own: _Tenant, entry: _Entry) -> Claim:
        assert entry.payload is not None
        entry.job.state = pb.JOB_STATE_RUNNING
        entry.job.attempt_count += 1
        entry.job.ClearField("retry_time")
        entry.fresh = False
        self._stamp(entry.job.start_time)
        entry.token = f"token-{next(self._numbers)}"
        entry.lease_ends = self._clock() + self._lease
        entry.erasures = own.erasures
        self._say(entry)
        stored = _stored(entry)
        return Claim(stored.job, stored.owner, entry.payload, entry.token, frozenset(entry.results))

    def _end(self, entry: _Entry, state: pb.JobState.ValueType) -> None:
        entry.job.state = state
        entry.job.ClearField("retry_time")
        self._stamp(entry.job.end_time)
        self._stamp(entry.job.expire_time, entry.submission.retention_seconds)
        self._say(entry)

    def _stamp(self, stamp: Timestamp, later: float = 0.0) -> None:
        stamp.FromMilliseconds(int((self._clock() + later) * 1000))

    def _say(self, entry: _Entry) -> None:
        position = f"{int(self._clock() * 1000)}-{next(self._numbers)}"
        entry.events.append(Event(position, copy.deepcopy(entry.job)))
        del entry.events[:-_MOST_EVENTS]
        self._signals.speak(job_topic(entry.submission.owner.tenant, entry.job.job_id))


_RESULT_ERASED = errors.to_status(errors.RESULT_ERASED.error("A document that it named was deleted."))
_ABANDONED = errors.to_status(errors.JOB_ABANDONED.error("Every attempt of the job ended with its worker."))


def _stored(entry: _Entry) -> StoredJob:
    return StoredJob(copy.deepcopy(entry.job), entry.submission.owner)


def _count(entry: _Entry) -> None:
    entry.job.done_count = len(entry.results)
    entry.job.failed_count = sum(item.result.HasField("error") for item in entry.results.values())
    entry.job.degraded_count = sum(bool(item.result.context.degradations) for item in entry.results.values())


def _erased(index: int) -> ItemResult:
    return ItemResult(pb.JobResult(index=index, error=_RESULT_ERASED), ())


def _waits(job: pb.Job, now: float) -> bool:
    return job.state == pb.JOB_STATE_QUEUED and job.retry_time.ToMilliseconds() <= now * 1000


def _ended_before(job: pb.Job, now: float) -> bool:
    return job.HasField("expire_time") and job.expire_time.ToMilliseconds() <= now * 1000
