"""What the ledger is to the rest of the gateway."""

from collections.abc import Sequence
from typing import Protocol

from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.callers.principal import Principal


class Records(Protocol):
    """Records by tenant. Raises ScicError RECORD_NOT_FOUND, RECORD_ERASED or STORAGE_UNAVAILABLE."""

    async def get(self, principal: Principal, record_id: str) -> pb.Record:
        """A record that the caller may see, by its own name or that of its request."""
        ...

    async def list(self, principal: Principal, request: pb.ListRecordsRequest) -> pb.ListRecordsResponse:
        """A page of those that the caller may see, newest first."""
        ...


class Ledger(Records, Protocol):
    """Takes records, and erases them. Erasing raises ScicError STORAGE_UNAVAILABLE."""

    @property
    def keeps(self) -> bool:
        """Whether records are kept at all; where they are not, nobody need make one."""
        ...

    def record(self, principal: Principal, record: pb.Record, common: bytes = b"") -> None:
        """Takes a record of a request that is over. Never waits, never raises: what does not fit is counted as lost.

        `common` is the response as others have it, packed, where it was stored: what the record's own response says
        goes before it.
        """
        ...

    async def begin_erasure(self, tenant: str, name: str) -> bool:
        """Notes, whoever dies, that an erasure begins; True where one of that name has begun before and never ended.

        The corpus forgets the names of what it removes, so a second call, made since the first one failed on its way,
        would not know any more which records to erase.
        """
        ...

    async def end_erasure(self, tenant: str, name: str) -> None:
        """Notes that it is done."""
        ...

    async def erase_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Erases all records of the tenant that name one of the documents; returns how many there were."""
        ...

    async def erase_tenant(self, tenant: str) -> int:
        """Erases all records of the tenant; returns how many there were."""
        ...
