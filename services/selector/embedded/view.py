"""View: a snapshot as one caller sees it. What it does not show counts in nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from services.selector.embedded.signals import PUBLIC_FACET, group_facet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.selector.caller import Caller
    from services.selector.embedded.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class View:
    """Immutable. A search by a view equals one in a corpus that holds only what the view shows."""

    snapshot: Snapshot
    visible: tuple[NDArray[np.bool_], ...]
    """For each segment, which of its passages there are."""

    @cached_property
    def rows(self) -> NDArray[np.bool_]:
        """Whether each row of the snapshot is there."""
        return np.concatenate(self.visible) if self.visible else np.empty(0, np.bool_)

    @cached_property
    def count(self) -> int:
        """Passages that are there."""
        return int(np.count_nonzero(self.rows))

    @cached_property
    def whole(self) -> tuple[bool, ...]:
        """For each segment, whether all its passages are there."""
        return tuple(bool(visible.all()) for visible in self.visible)

    @cached_property
    def average_length(self) -> float:
        """Terms of a passage, on average."""
        total = float(self.snapshot.lengths.sum(where=self.rows, dtype=np.float64))
        return total / self.count if self.count else 0.0

    @cached_property
    def relative_lengths(self) -> NDArray[np.float32]:
        """Terms of each row, measured by the average."""
        return self.snapshot.lengths / np.float32(self.average_length or 1)


def view_for(snapshot: Snapshot, caller: Caller, now: int) -> View:
    """Return what the caller may see and has not expired at `now`, in microseconds since the epoch."""
    expired = snapshot.first_expiry <= now
    if caller.sees_all and not expired:
        return snapshot.everything
    masks = snapshot.live
    if not caller.sees_all:
        facets = [PUBLIC_FACET, *map(group_facet, caller.groups)]
        masks = tuple(live & segment.marked(facets) for segment, live in zip(snapshot.segments, masks, strict=True))
    if expired:
        masks = tuple(mask & (segment.expires > now) for segment, mask in zip(snapshot.segments, masks, strict=True))
    return View(snapshot, masks)
