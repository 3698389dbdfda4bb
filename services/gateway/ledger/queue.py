"""Records that wait to be written: bounded, whatever the storage does."""

from collections import deque
from dataclasses import dataclass

from services.gateway.ledger.viewer import Viewer

MAX_RECORDS = 4_096
MAX_BYTES = 32 << 20
BATCH_RECORDS = 256
BATCH_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class QueuedRecord:
    """A record that waits. It is kept serialized: a third of what it takes as an object, and nobody can change it."""

    tenant: str
    viewer: Viewer
    data: bytes
    common: bytes = b""
    """The reply as others have it, see Ledger; of equal requests it is the same."""

    @property
    def size_bytes(self) -> int:
        """Of both."""
        return len(self.data) + len(self.common)


class RecordQueue:
    """First in, first out; at most `max_records`, at most `max_bytes` of them."""

    def __init__(self, *, max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES) -> None:
        self._records: deque[QueuedRecord] = deque()
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def size_bytes(self) -> int:
        """Bytes of all records that wait."""
        return self._bytes

    @property
    def fills_batch(self) -> bool:
        """Whether a whole batch waits."""
        return len(self._records) >= BATCH_RECORDS or self._bytes >= BATCH_BYTES

    def offer(self, record: QueuedRecord) -> bool:
        """Takes a record, or says that there is no room."""
        if len(self._records) >= self._max_records or self._bytes + record.size_bytes > self._max_bytes:
            return False
        self._records.append(record)
        self._bytes += record.size_bytes
        return True

    def take(self) -> list[QueuedRecord]:
        """The oldest records, at most a batch, at least one where there is one."""
        taken, size = list[QueuedRecord](), 0
        while self._records and len(taken) < BATCH_RECORDS and size < BATCH_BYTES:
            record = self._records.popleft()
            size += record.size_bytes
            taken.append(record)
        self._bytes -= size
        return taken
