"""Records of one tenant on their way into the archive."""

from collections.abc import Callable, Sequence
from random import Random

from services.gateway.ledger.entry import Entry
from services.gateway.ledger.hours import hour_of
from services.gateway.ledger.marks import Marks
from services.gateway.ledger.record_id import new_record_id
from services.gateway.ledger.segment import Body, pack


class Batch:
    """The records, and the name of the segment that they go to.

    The name belongs to the content: an attempt that was thought lost may have come through, so the next one must write
    the same, or elsewhere.
    """

    def __init__(self, tenant: str, bodies: Sequence[Body], clock: Callable[[], float], random: Random) -> None:
        self.tenant = tenant
        self._clock = clock
        self._random = random
        self._bodies = bodies
        self.segment = self._new_name()

    def __len__(self) -> int:
        return len(self._bodies)

    def take_out(self, marks: Marks) -> list[Entry]:
        """Takes out what was erased meanwhile, and returns it."""
        covered = [body.entry for body in self._bodies if marks.cover(body.entry)]
        if covered:
            self._bodies = [body for body in self._bodies if not marks.cover(body.entry)]
            self.segment = self._new_name()
        return covered

    def pack(self) -> tuple[bytes, list[Entry]]:
        """The segment and its entries. Copies all bodies: not for the event loop."""
        return pack(self._bodies, self.segment)

    def _new_name(self) -> str:
        return f"{hour_of(self._clock())}/{new_record_id(self._clock, self._random)}"
