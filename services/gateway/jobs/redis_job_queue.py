"""The job queue in Redis, or anything that speaks its protocol."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from random import SystemRandom
from secrets import token_hex
from typing import Any, Final, TypeVar

from google.rpc import status_pb2
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import OutOfMemoryError

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.chassis.breaker import Breaker
from services.chassis.work import on_thread
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.jobs import redis_attempt_scripts, redis_scripts
from services.gateway.jobs.backoff import BUSY_ATTEMPT, MAX_SECONDS, pause
from services.gateway.jobs.ports import Claim, Event, ItemResult, LostClaimError, StoredJob, Submission
from services.gateway.jobs.redis_erasure import RedisJobErasure
from services.gateway.jobs.redis_fields import event, stored_job, submitted_fields
from services.gateway.jobs.redis_names import job_keys, tenant_keys
from services.gateway.jobs.redis_registry import RedisRegistry
from services.gateway.jobs.redis_values import GONE, packed, packed_result, unpacked, unpacked_result
from services.gateway.jobs.turns import Facts, Turns
from services.gateway.redis.calls import BEHIND, call

_Result = TypeVar("_Result")

_PAGE = 100
_MOST_ASKED = 2_000
"""Tenants that one claim asks at most."""

_LOOK_SECONDS = 0.05
"""So often a worker that has tenants to ask looks for others."""

_LARGE_BYTES = 64 << 10
"""What is larger is compressed in a thread: the event loop would stand still."""

_RESULTS_BYTES = 1 << 20
"""Results that one step answers with, as they lie in Redis."""

_POSITION: Final = re.compile(r"(\d{1,20})-(\d{1,20})")

_ABANDONED = errors.to_status(errors.JOB_ABANDONED.error("every attempt of the job ended with its worker"))


class RedisJobQueue:
    """See JobQueue, and `redis_scripts` for how jobs lie in Redis.

    Args:
        redis: one server, or a cluster: all keys of a tenant share a slot.
        breaker: spares a server that fails.
        lease_seconds: how long a claim lasts that nobody renews; of all workers the same.
        max_waiting: jobs of a tenant that may wait.
        max_bytes: what payloads and results of a tenant may have, as they lie in Redis.
        random: makes the pauses between attempts.
        clock: seconds by which a worker knows when to ask whom; what workers agree on goes by that of Redis.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster,
        breaker: Breaker,
        *,
        lease_seconds: float,
        max_waiting: int,
        max_bytes: int,
        random: SystemRandom | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._breaker = breaker
        self._clock = clock
        self._lease_ms = int(lease_seconds * 1000)
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._random = random or SystemRandom()
        self._registry = RedisRegistry(redis, self._ask, clock)
        self._erasure = RedisJobErasure(redis, self._run, clock, lease_ms=self._lease_ms)
        self._turns = Turns(lease_seconds=lease_seconds, random=self._random)
        self._looked_at = 0.0
        self._unanswered: dict[str, str] = {}
        """Tokens of claims whose answers were lost, by tenant."""

        self._submit = redis.register_script(redis_scripts.SUBMIT)
        self._get = redis.register_script(redis_scripts.GET)
        self._list = redis.register_script(redis_scripts.LIST)
        self._results = redis.register_script(redis_scripts.RESULTS)
        self._events = redis.register_script(redis_scripts.EVENTS)
        self._cancel = redis.register_script(redis_scripts.CANCEL)
        self._replay = redis.register_script(redis_scripts.REPLAY)
        self._claim = redis.register_script(redis_attempt_scripts.CLAIM)
        self._heartbeat = redis.register_script(redis_attempt_scripts.HEARTBEAT)
        self._record = redis.register_script(redis_attempt_scripts.RECORD)
        self._succeed = redis.register_script(redis_attempt_scripts.SUCCEED)
        self._fail = redis.register_script(redis_attempt_scripts.FAIL)
        self._release = redis.register_script(redis_attempt_scripts.RELEASE)
        self._leave = redis.register_script(redis_attempt_scripts.LEAVE)
        self._waiting = redis.register_script(redis_attempt_scripts.WAITING)

    async def submit(self, submission: Submission) -> tuple[StoredJob, bool]:
        """See JobQueue."""
        tenant, job_id = submission.owner.tenant, submission.job_id
        payload = await _packed(submission.payload)
        await self._registry.expect(tenant)
        word, *values = await self._run(
            self._submit,
            tenant,
            job_id,
            token_hex(8),
            submission.digest,
            self._max_waiting,
            self._max_bytes,
            submission.priority,
            payload,
            *submitted_fields(submission),
        )
        if word == b"reused":
            raise errors.REQUEST_ID_REUSED.error(
                "the request id names a job with other work, priority, attempts, retention or key",
                metadata={"job_id": job_id},
            )
        self._check_room(word, values)
        await self._registry.announce(tenant)
        return stored_job(job_id, values[0]), word == b"new"

    async def get(self, tenant: str, job_id: str) -> StoredJob:
        """See JobQueue."""
        word, *values = await self._run(self._get, tenant, job_id)
        _check_there(word)
        return stored_job(job_id, values[0])

    async def list(self, tenant: str, *, before: str) -> AsyncIterator[StoredJob]:
        """See JobQueue."""
        last = before
        while True:
            word, *values = await self._run(self._list, tenant, None, last, _PAGE)
            _check_there(word)
            for job_id, fields in values[1]:
                yield stored_job(job_id.decode(), fields)
            last = values[0].decode()
            if not last:
                return

    async def results(self, tenant: str, job_id: str, *, start: int, limit: int) -> Sequence[pb.JobResult]:
        """See JobQueue."""
        word, *values = await self._run(self._results, tenant, job_id, start, limit, _RESULTS_BYTES)
        _check_there(word)
        found = values[0]
        if sum(len(value) for _, value in found) < _LARGE_BYTES:
            return _unpacked_results(found)
        return await on_thread(None, _unpacked_results, found)

    async def events(self, tenant: str, job_id: str, *, after: str) -> Sequence[Event]:
        """See JobQueue."""
        if after and not _is_position(after):
            raise _gone()
        word, *values = await self._run(self._events, tenant, job_id, after)
        _check_there(word)
        if word == b"gone":
            raise _gone()
        job = stored_job(job_id, values[0]).job
        return [event(job, position, pairs) for position, pairs in values[1]]

    async def cancel(self, tenant: str, job_id: str) -> StoredJob:
        """See JobQueue."""
        word, *values = await self._run(self._cancel, tenant, job_id)
        _check_there(word)
        if word == b"finished":
            raise errors.JOB_FINISHED.error("the job had ended before")
        return stored_job(job_id, values[0])

    async def replay(self, tenant: str, job_id: str) -> StoredJob:
        """See JobQueue."""
        await self._registry.expect(tenant)
        word, *values = await self._run(self._replay, tenant, job_id, token_hex(8), self._max_waiting, self._max_bytes)
        _check_there(word)
        if word == b"refused":
            raise errors.JOB_NOT_REPLAYABLE.error("the job is neither dead nor cancelled, or its work was erased since")
        self._check_room(word, values)
        await self._registry.announce(tenant)
        return stored_job(job_id, values[0])

    async def claim(self) -> Claim | None:
        """See JobQueue."""
        if self._clock() - self._looked_at >= _LOOK_SECONDS:
            await self._look()
        for _ in range(_MOST_ASKED):
            tenant = self._turns.next(self._clock())
            if tenant is None:
                if not await self._look():
                    return None
            elif claim := await self._claim_of(tenant):
                return claim
        return None

    async def heartbeat(self, claim: Claim) -> None:
        """See JobQueue."""
        await self._report(self._heartbeat, claim, self._lease_ms)

    async def record(self, claim: Claim, results: Mapping[int, ItemResult]) -> None:
        """See JobQueue."""
        if not all(0 <= index < claim.job.item_count for index in results):
            raise ValueError("a result of no item")
        items = [(index, *packed_result(item)) for index, item in results.items()]
        parts = (part for item in items for part in item)
        answer = await self._report(self._record, claim, self._lease_ms, self._max_bytes, GONE, *parts)
        self._check_room(answer, [b"bytes"])

    async def succeed(self, claim: Claim) -> None:
        """See JobQueue."""
        if await self._report(self._succeed, claim) == b"undone":
            raise ValueError("an item has no result")
        self._turns.ended(claim.owner.tenant)

    async def fail(self, claim: Claim, error: status_pb2.Status, *, final: bool = False, counted: bool = True) -> None:
        """See JobQueue."""
        seconds = pause(claim.job.attempt_count if counted else BUSY_ATTEMPT, self._random)
        await self._report(self._fail, claim, int(final), int(counted), int(1000 * seconds), error.SerializeToString())
        self._turns.ended(claim.owner.tenant)
        # Workers learn when it is due.
        await self._registry.announce(claim.owner.tenant)

    async def release(self, claim: Claim, *, last: bool = False) -> None:
        """See JobQueue."""
        await self._report(self._release, claim, int(last))
        self._turns.ended(claim.owner.tenant)
        await self._registry.announce(claim.owner.tenant)

    async def leave(self, claim: Claim) -> None:
        """See JobQueue."""
        await self._run(self._leave, claim.owner.tenant, claim.job.job_id, claim.token)

    async def is_anyone_waiting(self) -> bool:
        """See JobQueue."""
        await self._look()
        for _ in range(_PAGE):
            tenant = self._turns.next(self._clock())
            if tenant is None:
                return False
            known = _facts(await self._run(self._waiting, tenant, None))
            self._turns.told(tenant, known, self._clock(), served=False)
            if known.waiting > 0 or known.next_seconds == 0:
                return True
        return False

    async def erase_documents(self, tenant: str, document_ids: Sequence[str], subject: str) -> int:
        """See JobQueue."""
        return await self._erasure.erase_documents(tenant, document_ids, subject)

    async def erase_tenant(self, tenant: str) -> int:
        """See JobQueue."""
        return await self._erasure.erase_tenant(tenant)

    async def _look(self) -> bool:
        """Hears of tenants; whether one of them is to be asked."""
        for tenant, entry in await self._registry.news():
            self._turns.registered(tenant, entry, self._clock())
        self._looked_at = self._clock()
        return self._turns.next(self._looked_at) is not None

    async def _claim_of(self, tenant: str) -> Claim | None:
        token = self._unanswered.pop(tenant, None) or token_hex(16)
        abandoned = _ABANDONED.SerializeToString()
        try:
            facts, *values = await self._run(
                self._claim,
                tenant,
                None,
                token,
                self._lease_ms,
                int(MAX_SECONDS * 1000),
                abandoned,
                self._random.random(),
            )
        except BaseException:
            # It may have got a job whose name was lost on the way: the next claim asks for it.
            self._unanswered[tenant] = token
            self._turns.postpone(tenant, self._clock())
            raise
        known = _facts(facts)
        self._turns.told(tenant, known, self._clock(), served=bool(values))
        if values:
            job_id, fields, payload, done = values
            stored = stored_job(job_id.decode(), fields)
            return Claim(stored.job, stored.owner, await _unpacked(payload), token, frozenset(map(int, done)))
        if not known.stored and await self._registry.leave(tenant, self._turns.entry(tenant)):
            self._turns.drop(tenant)
        return None

    def _check_room(self, word: bytes, lacking: Sequence[Any]) -> None:
        if word != b"full":
            return
        if lacking[0] == b"bytes":
            raise errors.JOB_QUEUE_FULL.error(
                f"the tenant's jobs and their results have the {self._max_bytes} bytes that they may",
                metadata={"limit_bytes": str(self._max_bytes)},
            )
        raise errors.JOB_QUEUE_FULL.error(
            "the tenant has as many jobs waiting as it may", metadata={"limit_jobs": str(self._max_waiting)}
        )

    async def _report(self, script: Callable[..., Awaitable[Any]], claim: Claim, *args: str | float | bytes) -> bytes:
        """What a step of an attempt answers. Raises LostClaimError."""
        word, *_ = await self._run(script, claim.owner.tenant, claim.job.job_id, claim.token, *args)
        if word == b"lost":
            raise LostClaimError
        return bytes(word)

    async def _run(
        self, script: Callable[..., Awaitable[Any]], tenant: str, job_id: str | None, *args: str | float | bytes
    ) -> Any:
        """What a script answers that is about a tenant, or about a job, which is its first argument then."""
        keys = tenant_keys(tenant)
        if job_id is None:
            return await self._ask(lambda: script(keys=keys, args=args))
        keys += job_keys(tenant, job_id)
        return await self._ask(lambda: script(keys=keys, args=[job_id, *args]))

    async def _ask(self, command: Callable[[], Awaitable[_Result]]) -> _Result:
        """What a command answers. Raises QUEUE_UNAVAILABLE."""
        try:
            answer = await call(self._breaker, lambda: _unless_full(command), BEHIND)
        except CacheUnavailableError as error:
            raise errors.QUEUE_UNAVAILABLE.error("the queue does not answer") from error
        if isinstance(answer, OutOfMemoryError):
            raise errors.QUEUE_UNAVAILABLE.error("the queue has no room for more") from answer
        return answer


async def _unless_full(command: Callable[[], Awaitable[_Result]]) -> _Result | OutOfMemoryError:
    """A server that is full answers: what drains it must not be held up as if it did not."""
    try:
        return await command()
    except OutOfMemoryError as error:
        return error


async def _packed(payload: bytes) -> bytes:
    return packed(payload) if len(payload) < _LARGE_BYTES else await on_thread(None, packed, payload)


async def _unpacked(payload: bytes) -> bytes:
    return unpacked(payload) if len(payload) < _LARGE_BYTES else await on_thread(None, unpacked, payload)


def _facts(values: Sequence[int]) -> Facts:
    waiting, running, next_ms, stored, over_ms = values
    return Facts(
        waiting,
        running,
        None if next_ms < 0 else next_ms / 1000,
        stored,
        None if over_ms < 0 else over_ms / 1000,
    )


def _unpacked_results(found: Sequence[tuple[int, bytes]]) -> list[pb.JobResult]:
    return [unpacked_result(index, value) for index, value in found]


def _check_there(word: bytes) -> None:
    if word == b"none":
        raise errors.JOB_NOT_FOUND.error("there is no such job")


def _gone() -> errors.ScicError:
    return errors.POSITION_GONE.error("the job has no event at this position, or not any more")


def _is_position(text: str) -> bool:
    match = _POSITION.fullmatch(text)
    return match is not None and all(int(part) < 1 << 64 for part in match.groups())
