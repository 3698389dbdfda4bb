"""What an erasure needs of jobs."""

from collections.abc import Sequence
from typing import Protocol


class ErasableJobs(Protocol):
    """Jobs of all tenants. Both methods raise ScicError QUEUE_UNAVAILABLE where the queue does not answer."""

    async def erase_documents(self, tenant: str, document_ids: Sequence[str], subject: str) -> int:
        """Erases what jobs hold and have made of documents, or of a subject; returns how many jobs lost something.

        Nothing of it is stored any more by a job that runs: their workers have stopped, or QUEUE_UNAVAILABLE is raised
        where one does not say so within seconds; then call again. A process that was halted for minutes just between
        its last look at the queue and its write is not found out. `subject` may be empty: nobody's.
        """
        ...

    async def erase_tenant(self, tenant: str) -> int:
        """Erases all jobs of a tenant; returns how many there were."""
        ...
