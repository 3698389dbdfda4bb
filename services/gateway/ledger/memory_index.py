"""The ledger's index of a gateway that stands alone: in memory, and gone with it."""

import asyncio
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from services.gateway.ledger.entry import Entry
from services.gateway.ledger.index import Lease, Status
from services.gateway.ledger.marks import Marks
from services.gateway.ledger.record_id import first_record_id


@dataclass(slots=True)
class _Tenant:
    """What is known of one tenant."""

    entries: dict[str, Entry] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    """Keys of `entries`, in order."""

    requests: dict[str, list[str]] = field(default_factory=dict)
    """Record ids by the name of their request."""

    marks: Marks = field(default_factory=Marks)
    complete: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class _Lease:
    """A turn that nobody can take away."""

    async def extend(self) -> None:
        """See Lease."""


_LEASE: Final = _Lease()


class MemoryIndex:
    """Entries in dictionaries: at most `max_records` of a tenant, none older than `days` by `clock` (seconds)."""

    def __init__(self, *, days: float, max_records: int, clock: Callable[[], float]) -> None:
        self._life_ms = int(days * 86_400_000)
        self._max_records = max_records
        self._clock = clock
        self._tenants: dict[str, _Tenant] = {}

    async def begin(self, tenant: str, segment: str) -> Marks:
        """See Index. Whoever dies takes this index along, so there is nothing to note."""
        return self._of(tenant).marks

    async def commit(self, tenant: str, segment: str, entries: Sequence[Entry], generation: int) -> bool:
        """See Index."""
        own = self._of(tenant)
        if own.marks.generation != generation:
            return False
        for entry in entries:
            known = own.entries.get(entry.record_id)
            if known is None or not known.erased:
                self._enter(own, entry)
        oldest = first_record_id(max(int(self._clock() * 1000) - self._life_ms, 0))
        gone = max(bisect_left(own.ids, oldest), len(own.ids) - self._max_records)
        for record_id in own.ids[:gone]:
            self._unlink(own, own.entries.pop(record_id))
        del own.ids[:gone]
        return True

    async def forget(self, tenant: str, segment: str) -> None:
        """See Index."""

    async def find(self, tenant: str, name: str) -> list[Entry]:
        """See Index."""
        own = self._of(tenant)
        if name in own.entries:
            return [own.entries[name]]
        return [own.entries[record_id] for record_id in sorted(own.requests.get(name, ()), reverse=True)]

    async def page(self, tenant: str, before: str, count: int) -> list[Entry]:
        """See Index."""
        own = self._of(tenant)
        end = bisect_left(own.ids, before) if before else len(own.ids)
        return [own.entries[record_id] for record_id in reversed(own.ids[max(end - count, 0) : end])]

    async def full_since(self, tenant: str) -> str:
        """See Index."""
        ids = self._of(tenant).ids
        return ids[0] if len(ids) >= self._max_records else ""

    async def status(self, tenant: str) -> Status:
        """See Index."""
        return Status(self._of(tenant).complete)

    async def claim(self, tenant: str) -> bool:
        """See Index. There is nobody else."""
        return True

    async def complete(self, tenant: str) -> None:
        """See Index."""
        self._of(tenant).complete = True

    async def mark(self, tenant: str, documents: Iterable[str], until_ms: int) -> None:
        """See Index."""
        own = self._of(tenant)
        oldest = int(self._clock() * 1000) - self._life_ms
        marked = {document: until for document, until in own.marks.documents.items() if until > oldest}
        marked.update(dict.fromkeys(documents, until_ms))
        own.marks = Marks(own.marks.generation + 1, marked, own.marks.everything)

    async def mark_everything(self, tenant: str, until_ms: int) -> None:
        """See Index."""
        own = self._of(tenant)
        own.marks = Marks(own.marks.generation + 1, own.marks.documents, until_ms)

    async def erase(self, tenant: str, entries: Sequence[Entry]) -> None:
        """See Index."""
        own = self._of(tenant)
        for entry in entries:
            if entry.record_id in own.entries:
                self._unlink(own, own.entries[entry.record_id])
            self._enter(own, entry.tombstone())

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[Lease]:
        """See Index."""
        async with self._of(tenant).turn:
            yield _LEASE

    def _of(self, tenant: str) -> _Tenant:
        return self._tenants.setdefault(tenant, _Tenant())

    @staticmethod
    def _enter(own: _Tenant, entry: Entry) -> None:
        if entry.record_id not in own.entries:
            insort(own.ids, entry.record_id)
        own.entries[entry.record_id] = replace(entry, documents=())
        request = "" if entry.erased else entry.row().request_id
        if request:
            names = own.requests.setdefault(request, [])
            if entry.record_id not in names:
                names.append(entry.record_id)

    @staticmethod
    def _unlink(own: _Tenant, entry: Entry) -> None:
        """A request forgets a record, and is forgotten with its last one."""
        request = "" if entry.erased else entry.row().request_id
        names = [record_id for record_id in own.requests.get(request, ()) if record_id != entry.record_id]
        if names:
            own.requests[request] = names
        else:
            own.requests.pop(request, None)
