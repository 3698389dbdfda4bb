"""Takes jobs out of the queue and does them, a bounded number at a time."""

import asyncio
from contextlib import ExitStack, suppress
from functools import partial
from typing import Self

from structlog.contextvars import bind_contextvars

from scic import errors
from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.jobs.attempt import Attempts, kind_name
from services.gateway.jobs.insistence import insist
from services.gateway.jobs.ports import Claim, JobQueue, LostClaimError
from services.gateway.signals import Signals

_LOOK_SECONDS = 0.5
"""Nobody speaks of a job whose worker died or whose next attempt is due, so a worker with a free place looks itself."""

_RELEASE_SECONDS = 2.0

_log = get_logger(__name__)


class Worker:
    """Works for as long as its context lasts; then it takes no more, finishes what it can, and gives back the rest."""

    def __init__(
        self, queue: JobQueue, signals: Signals, attempts: Attempts, *, places: int, grace_seconds: float
    ) -> None:
        self._queue = queue
        self._signals = signals
        self._attempts = attempts
        self._places = places
        self._grace_seconds = grace_seconds
        self._stack = ExitStack()
        self._stopping = False
        self._away = False
        self._running: set[asyncio.Task[None]] = set()
        self._leaving: set[str] = set()
        """Tokens of attempts that were told to end, since others wait."""

    async def __aenter__(self) -> Self:
        self._word = self._stack.enter_context(self._signals.expect("queue"))
        self._claiming = asyncio.create_task(self._claim_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        self._word.set()
        # A claim that is on its way is waited for: one whose answer is lost would wait for the end of its lease.
        await asyncio.wait({self._claiming})
        self._stack.close()
        if self._running:
            _log.info("jobs_draining", jobs=len(self._running), seconds=self._grace_seconds)
            await asyncio.wait(self._running, timeout=self._grace_seconds)
        unfinished = set(self._running)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)

    async def _claim_all(self) -> None:
        while not self._stopping:
            self._word.clear()
            if len(self._running) < self._places and (claim := await self._claim()):
                self._start(claim)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._word.wait()

    async def _claim(self) -> Claim | None:
        try:
            claim = await self._queue.claim()
        except errors.ScicError as error:
            if not self._away:
                _log.warning("queue_away", reason=error.reason)
            self._away = True
            return None
        except Exception as error:  # noqa: BLE001 - one job that cannot be read must not end the worker
            _log.error("claim_failed", exc_info=error)
            return None
        if self._away:
            _log.info("queue_back")
        self._away = False
        return claim

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._do(claim))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._word.set()

    async def _do(self, claim: Claim) -> None:
        job = claim.job
        bind_contextvars(
            request_id=job.request_id, job_id=job.job_id, tenant=claim.owner.tenant, key_id=claim.owner.key_id
        )
        outcome = "released"
        try:
            with metrics.JOBS_RUNNING.track_inprogress():
                outcome = await self._attempts.make(claim, partial(self._is_wanted, claim))
        except asyncio.CancelledError:
            await self._release(claim)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job is for another worker, and this one goes on
            _log.error("attempt_failed", exc_info=error)
            await self._release(claim)
        finally:
            self._leaving.discard(claim.token)
            metrics.JOBS.labels(kind_name(claim), outcome).inc()
            _log.info("job", outcome=outcome, attempt=job.attempt_count)

    async def _is_wanted(self, claim: Claim) -> bool:
        """Whether an attempt's place is what somebody waits for; each who waits wants one."""
        if self._stopping or len(self._running) - len(self._leaving) < self._places:
            return False
        try:
            wanted = await self._queue.is_anyone_waiting()
        except errors.ScicError:
            # The queue is away, as others say in the log: then nobody can be given the place.
            return False
        if wanted:
            self._leaving.add(claim.token)
        return wanted

    async def _release(self, claim: Claim) -> None:
        """Gives a job back; where that fails, it is taken over when its lease ends."""
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await insist(partial(self._queue.release, claim))
        except (TimeoutError, LostClaimError, errors.ScicError) as error:
            _log.warning("job_not_released", error=type(error).__name__)
