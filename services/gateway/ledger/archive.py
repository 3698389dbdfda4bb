"""Where segments are kept, as the ledger sees it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from services.gateway.ledger.entry import Entry


class ArchiveUnavailableError(Exception):
    """The storage does not answer, or not in time."""


class SegmentMissingError(Exception):
    """There is no such segment, or no longer."""


class Archive(Protocol):
    """Segments by tenant and name: `yyyy-mm-dd/HH/name`, the hour (UTC) in which it was written.

    Every method raises ArchiveUnavailableError; reading raises SegmentMissingError and BrokenSegmentError.
    """

    async def put(self, tenant: str, segment: str, data: bytes) -> None:
        """Writes a segment, whole or not at all. One that is there already is left as it is."""
        ...

    async def replace(self, tenant: str, segment: str, data: bytes) -> None:
        """Writes another content in the place of a segment, whole or not at all."""
        ...

    async def entries(self, tenant: str, segment: str) -> list[Entry]:
        """The header of a segment."""
        ...

    async def read(self, tenant: str, segment: str) -> bytes:
        """All of a segment."""
        ...

    async def read_part(self, tenant: str, segment: str, offset: int, length: int) -> bytes:
        """A part of a segment."""
        ...

    async def note(self, tenant: str, name: str) -> bool:
        """Keeps a name, durably; False where it was kept already."""
        ...

    async def drop_note(self, tenant: str, name: str) -> None:
        """Keeps a name no longer."""
        ...

    async def tenants(self) -> list[str]:
        """Tenants that may have something here."""
        ...

    async def hours(self, tenant: str) -> list[str]:
        """Hours, `yyyy-mm-dd/HH`, of which there may be segments, the newest first."""
        ...

    async def segments(self, tenant: str, hour: str) -> Sequence[str]:
        """The segments of an hour, the newest first."""
        ...

    async def tidy(self) -> None:
        """Removes what writers that died have left half written."""
        ...

    async def remove(self, tenant: str, segments: Iterable[str]) -> None:
        """Removes segments; those that are not there are no error."""
        ...
