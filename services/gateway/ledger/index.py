"""What finds records without reading segments, as the ledger sees it. It can be lost: segments say the same."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.gateway.ledger.entry import Entry
from services.gateway.ledger.marks import Marks


@dataclass(frozen=True, slots=True)
class Status:
    """How an index stands."""

    complete: bool
    """Whether it holds all that the segments hold, as far as it may."""

    strays: Sequence[str] = ()
    """Segments that somebody began to write long ago and did not enter, some of them."""


class Lease(Protocol):
    """A turn that somebody has."""

    async def extend(self) -> None:
        """Keeps it for as long again. Raises CacheUnavailableError where it is lost."""
        ...


class Index(Protocol):
    """Entries by tenant, those of the newest records only. Every method raises CacheUnavailableError."""

    async def begin(self, tenant: str, segment: str) -> Marks:
        """Notes that a segment is about to be written; returns what was erased until now."""
        ...

    async def commit(self, tenant: str, segment: str, entries: Sequence[Entry], generation: int) -> bool:
        """Enters the records of a segment. An erased record stays erased, whatever comes later.

        False, and nothing is done, where something was erased since `begin` returned that generation.
        """
        ...

    async def forget(self, tenant: str, segment: str) -> None:
        """Undoes `begin`: there is no such segment."""
        ...

    async def find(self, tenant: str, name: str) -> list[Entry]:
        """Entries of a record's name, or of a request's, the newest first."""
        ...

    async def page(self, tenant: str, before: str, count: int) -> list[Entry]:
        """Entries of the newest records whose names are less than `before` (empty: all), the newest first."""
        ...

    async def full_since(self, tenant: str) -> str:
        """Name of the oldest record where no more fit; empty where they do."""
        ...

    async def status(self, tenant: str) -> Status:
        """Whether there is something to do."""
        ...

    async def claim(self, tenant: str) -> bool:
        """Takes, or keeps, the task of completing the index; False where somebody else has it."""
        ...

    async def complete(self, tenant: str) -> None:
        """Says that it is complete."""
        ...

    async def mark(self, tenant: str, documents: Iterable[str], until_ms: int) -> None:
        """Notes an erasure of documents, by their digests."""
        ...

    async def mark_everything(self, tenant: str, until_ms: int) -> None:
        """Notes an erasure of all records."""
        ...

    async def erase(self, tenant: str, entries: Sequence[Entry]) -> None:
        """Puts tombstones in the place of entries, whether they were there or not."""
        ...

    def turn(self, tenant: str) -> AbstractAsyncContextManager[Lease]:
        """The right to rewrite segments of the tenant, one at a time in all gateways."""
        ...
