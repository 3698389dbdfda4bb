"""The ledger of a gateway that has no storage."""

from collections.abc import Sequence

from scic import errors
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.callers.principal import Principal


class NoLedger:
    """Keeps nothing. See Ledger."""

    @property
    def keeps(self) -> bool:
        """It does not."""
        return False

    def record(self, principal: Principal, record: pb.Record, common: bytes = b"") -> None:
        """Keeps nothing."""

    async def get(self, principal: Principal, record_id: str) -> pb.Record:
        """Raises STORAGE_NOT_CONFIGURED."""
        raise _not_configured()

    async def list(self, principal: Principal, request: pb.ListRecordsRequest) -> pb.ListRecordsResponse:
        """Raises STORAGE_NOT_CONFIGURED."""
        raise _not_configured()

    async def begin_erasure(self, tenant: str, name: str) -> bool:
        """Nothing is ever left undone."""
        return False

    async def end_erasure(self, tenant: str, name: str) -> None:
        """Nothing to note."""

    async def erase_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        """Nothing to erase."""
        return 0

    async def erase_tenant(self, tenant: str) -> int:
        """Nothing to erase."""
        return 0


def _not_configured() -> errors.ScicError:
    return errors.STORAGE_NOT_CONFIGURED.error("this server keeps no ledger")
