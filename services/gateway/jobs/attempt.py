"""One attempt of a job, from its claim to its end."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.callers.principal import KeyRing
from services.gateway.jobs.insistence import insist
from services.gateway.jobs.owner import present_owner
from services.gateway.jobs.ports import Claim, ItemResult, JobQueue, LostClaimError, job_topic
from services.gateway.jobs.retriable import is_busy, is_retriable
from services.gateway.jobs.visibility import ROLE_OF
from services.gateway.jobs.work import TurnOverError, Work
from services.gateway.signals import Signals

_BEATS = 3
"""Heartbeats in a lease: two may be lost."""

_HEARING_SECONDS = 0.05
"""From a word to the heartbeat that sees what it was about: results that are kept are said, too, many in a row."""

_TURN_SECONDS = 60.0
"""So long an attempt goes on whoever waits; a job may take hours."""

_CROWD_SECONDS = 2.0
"""So often it is asked then whether somebody waits."""

_log = get_logger(__name__)


@dataclass(slots=True)
class _Tenure:
    """See Tenure."""

    queue: JobQueue
    claim: Claim
    over: bool = False

    async def keep(self, results: Mapping[int, ItemResult]) -> None:
        await insist(partial(self.queue.record, self.claim, results))

    async def check(self) -> None:
        await insist(partial(self.queue.heartbeat, self.claim))

    def is_over(self) -> bool:
        return self.over


@dataclass(frozen=True, slots=True)
class Attempts:
    """Makes attempts, each as far as its claim holds."""

    queue: JobQueue
    signals: Signals
    keys: KeyRing
    works: Mapping[pb.JobKind.ValueType, Work]
    lease_seconds: float
    turn_seconds: float = _TURN_SECONDS

    async def make(self, claim: Claim, is_wanted: Callable[[], Awaitable[bool]]) -> str:
        """How an attempt ended: `succeeded`, `failed`, `dead`, `lost` or `released`.

        Cancelled, it leaves the job as it is. `is_wanted` tells whether somebody waits for the place.
        """
        try:
            return await self._report(claim, await self._held(claim, is_wanted))
        except TurnOverError:
            return await self._give_back(claim)
        except LostClaimError:
            await self._leave(claim)
            return "lost"

    async def _give_back(self, claim: Claim) -> str:
        try:
            await insist(partial(self.queue.release, claim, last=True))
        except LostClaimError:
            return "lost"
        return "released"

    async def _leave(self, claim: Claim) -> None:
        try:
            await self.queue.leave(claim)
        except errors.ScicError as error:
            _log.warning("leave_not_said", reason=error.reason)

    async def _held(self, claim: Claim, is_wanted: Callable[[], Awaitable[bool]]) -> errors.ScicError | None:
        """What `_work` returns, for as long as the claim is held. Raises LostClaimError, TurnOverError."""
        tenure = _Tenure(self.queue, claim)
        working = asyncio.create_task(self._work(claim, tenure))
        holding = asyncio.create_task(self._hold(claim))
        watching = asyncio.create_task(self._end_turn(tenure, is_wanted))
        try:
            await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            holding.cancel()
            watching.cancel()
            # Reaches what it asked the stages for.
            working.cancel()
            await asyncio.wait({working, holding, watching})
        if not watching.cancelled() and (error := watching.exception()):
            _log.error("turn_not_watched", exc_info=error)
        if not holding.cancelled() and (error := holding.exception()):
            _log.error("lease_not_renewed", exc_info=error)
        if working.cancelled():
            raise LostClaimError
        return working.result()

    async def _end_turn(self, tenure: _Tenure, is_wanted: Callable[[], Awaitable[bool]]) -> None:
        """Ends the turn of an attempt that was long enough, once somebody waits for its place."""
        await asyncio.sleep(self.turn_seconds)
        while True:
            if await is_wanted():
                tenure.over = True
                return
            await asyncio.sleep(_CROWD_SECONDS)

    async def _hold(self, claim: Claim) -> None:
        """Renews the lease until the claim is lost; looks at once when somebody speaks of the job."""
        with self.signals.expect(job_topic(claim.owner.tenant, claim.job.job_id)) as word:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.lease_seconds / _BEATS):
                        await word.wait()
                        await asyncio.sleep(_HEARING_SECONDS)
                word.clear()
                try:
                    await insist(partial(self.queue.heartbeat, claim))
                except LostClaimError:
                    return

    async def _report(self, claim: Claim, failure: errors.ScicError | None) -> str:
        """Ends the attempt. Raises LostClaimError."""
        if failure is None:
            await insist(partial(self.queue.succeed, claim))
            outcome = "succeeded"
        else:
            final = not is_retriable(failure) and failure.reason != errors.INTERNAL.name
            counted = not is_busy(failure)
            await insist(partial(self.queue.fail, claim, errors.to_status(failure), final=final, counted=counted))
            dead = final or (counted and claim.job.attempt_count >= claim.job.max_attempts)
            outcome = "dead" if dead else "failed"
            _log.warning("job_failed", reason=failure.reason, dead=dead, attempt=claim.job.attempt_count)
        if outcome != "failed":
            seconds = max(time.time() - claim.job.create_time.ToNanoseconds() / 1e9, 0.0)
            metrics.JOB_DURATION.labels(kind_name(claim)).observe(seconds)
        return outcome

    async def _work(self, claim: Claim, tenure: _Tenure) -> errors.ScicError | None:
        """Does what is left of the job; why it is not done, if it is not. Raises LostClaimError, TurnOverError."""
        try:
            owner = present_owner(self.keys, claim.owner, ROLE_OF[claim.job.kind])
            await self.works[claim.job.kind].do(owner, claim, tenure)
        except errors.ScicError as error:
            return error
        except (LostClaimError, TurnOverError):
            raise
        except Exception as error:  # noqa: BLE001 - a job that meets a bug must not end the worker
            error_id = uuid.uuid4().hex
            _log.error("job_met_a_bug", error_id=error_id, exc_info=error)
            return errors.INTERNAL.error("a bug of the service", metadata={"error_id": error_id})
        return None


def kind_name(claim: Claim) -> str:
    """The job's kind as metrics name it: `contexts` or `documents`."""
    return pb.JobKind.Name(claim.job.kind).removeprefix("JOB_KIND_").lower()
