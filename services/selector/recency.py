"""Recency: what age takes away from a passage's score, where a source prefers what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from services.selector.query import Recency


def recency_factors(created: NDArray[np.float64], now: datetime, recency: Recency | None) -> NDArray[np.float64]:
    """Factors, above 0 to 1, of passages created at these seconds since the epoch, NaN where unknown.

    `1 - weight + weight * 2 ** (-age / half_life)`. An unknown age counts as the half-life: without a date nothing is
    taken for fresh, and nothing is buried. What is dated ahead of `now` is new.
    """
    if recency is None:
        return np.ones(len(created))
    half_lives = np.maximum(now.timestamp() - created, 0) / recency.half_life.total_seconds()
    half_lives[np.isnan(half_lives)] = 1
    return 1 - recency.weight * (1 - np.exp2(-half_lives))
