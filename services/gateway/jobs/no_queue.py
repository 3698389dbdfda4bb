"""The queue of a gateway without Redis: it has none, and says so."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NoReturn

from google.rpc import status_pb2

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.ports import Claim, Event, ItemResult, StoredJob, Submission


def _refuse() -> NoReturn:
    raise errors.QUEUE_NOT_CONFIGURED.error("the server has no Redis, so it keeps no jobs")


class NoQueue:
    """Refuses every job with QUEUE_NOT_CONFIGURED, and has nothing to erase; see JobQueue."""

    async def submit(self, submission: Submission) -> tuple[StoredJob, bool]:
        """Refuses."""
        _refuse()

    async def get(self, tenant: str, job_id: str) -> StoredJob:
        """Refuses."""
        _refuse()

    def list(self, tenant: str, *, before: str) -> AsyncIterator[StoredJob]:
        """Refuses."""
        _refuse()

    async def results(self, tenant: str, job_id: str, *, start: int, limit: int) -> Sequence[pb.JobResult]:
        """Refuses."""
        _refuse()

    async def events(self, tenant: str, job_id: str, *, after: str) -> Sequence[Event]:
        """Refuses."""
        _refuse()

    async def cancel(self, tenant: str, job_id: str) -> StoredJob:
        """Refuses."""
        _refuse()

    async def replay(self, tenant: str, job_id: str) -> StoredJob:
        """Refuses."""
        _refuse()

    async def claim(self) -> Claim | None:
        """Refuses."""
        _refuse()

    async def heartbeat(self, claim: Claim) -> None:
        """Refuses."""
        _refuse()

    async def record(self, claim: Claim, results: Mapping[int, ItemResult]) -> None:
        """Refuses."""
        _refuse()

    async def succeed(self, claim: Claim) -> None:
        """Refuses."""
        _refuse()

    async def fail(self, claim: Claim, error: status_pb2.Status, *, final: bool = False, counted: bool = True) -> None:
        """Refuses."""
        _refuse()

    async def release(self, claim: Claim, *, last: bool = False) -> None:
        """Refuses."""
        _refuse()

    async def leave(self, claim: Claim) -> None:
        """Refuses."""
        _refuse()

    async def is_anyone_waiting(self) -> bool:
        """Refuses."""
        _refuse()

    async def erase_documents(self, tenant: str, document_ids: Sequence[str], subject: str) -> int:
        """There is nothing."""
        return 0

    async def erase_tenant(self, tenant: str) -> int:
        """There is nothing."""
        return 0
