"""What was erased, for records that are not written yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.gateway.ledger.entry import Entry


@dataclass(frozen=True, slots=True)
class Marks:
    """Erasures of a tenant. An erasure walks what is stored; what another gateway still holds meets its mark.

    Times are milliseconds since 1970.
    """

    generation: int = 0
    """Counts up with every erasure."""

    documents: Mapping[str, int] = field(default_factory=dict)
    """Digests of documents, and until when a request may have seen them."""

    everything: int = 0
    """Until when everything was erased."""

    def cover(self, entry: Entry) -> bool:
        """Whether a record is of before an erasure of what it names."""
        if entry.erased:
            return False
        if entry.time_ms < self.everything:
            return True
        if not self.documents or self.documents.keys().isdisjoint(entry.documents):
            return False
        return any(entry.time_ms < self.documents.get(document, 0) for document in entry.documents)
