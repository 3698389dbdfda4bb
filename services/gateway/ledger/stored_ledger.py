"""The ledger of a gateway that has a storage."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from scic import errors
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.callers.principal import Principal
from services.gateway.ledger.archive import ArchiveUnavailableError
from services.gateway.ledger.eraser import Eraser
from services.gateway.ledger.queue import QueuedRecord
from services.gateway.ledger.reader import LedgerReader
from services.gateway.ledger.segment import BrokenSegmentError
from services.gateway.ledger.viewer import Viewer
from services.gateway.ledger.writer import LedgerWriter


class StoredLedger:
    """Records in segments of an archive, found through an index. See Ledger."""

    def __init__(self, writer: LedgerWriter, reader: LedgerReader, eraser: Eraser) -> None:
        self._writer = writer
        self._reader = reader
        self._eraser = eraser

    @property
    def keeps(self) -> bool:
        """It does."""
        return True

    def record(self, principal: Principal, record: pb.Record, common: bytes = b"") -> None:
        """See Ledger. The record has a name of `new_record_id`; it is copied."""
        self._writer.offer(QueuedRecord(principal.tenant, Viewer.of(principal), record.SerializeToString(), common))

    async def get(self, principal: Principal, record_id: str) -> pb.Record:
        """See Ledger."""
        with _answering():
            return await self._reader.get(principal, record_id)

    async def list(self, principal: Principal, request: pb.ListRecordsRequest) -> pb.ListRecordsResponse:
        """See Ledger."""
        with _answering():
            return await self._reader.list(principal, request)

    async def begin_erasure(self, tenant: str, name: str) -> bool:
        """See Ledger."""
        with _answering():
            return await self._eraser.begin(tenant, name)

    async def end_erasure(self, tenant: str, name: str) -> None:
        """See Ledger."""
        with _answering():
            await self._eraser.end(tenant, name)

    async def erase_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        """See Ledger."""
        with _answering():
            return await self._eraser.erase_documents(tenant, document_ids)

    async def erase_tenant(self, tenant: str) -> int:
        """See Ledger."""
        with _answering():
            return await self._eraser.erase_tenant(tenant)

    async def flush(self) -> None:
        """Returns when all that was recorded before is written."""
        await self._writer.flush()


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (ArchiveUnavailableError, CacheUnavailableError, BrokenSegmentError) as error:
        raise errors.STORAGE_UNAVAILABLE.error(f"the ledger does not answer: {error}", retry_after=1.0) from error
