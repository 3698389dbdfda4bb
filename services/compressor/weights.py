"""The weights of the score, as data. See README.md, "Weights", for how they are fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Weights:
    """What a z-score of each signal is worth, in logits of "this unit is evidence"."""

    features: tuple[float, ...]
    """One for each of `features.FEATURES`."""
    many_hop: tuple[float, ...]
    """Added to the above as far as the question looks like one that needs several passages."""
    bridges: tuple[float, ...]
    """One for each of `bridge.BRIDGES`; counts as far as the question looks like one that needs several passages."""


HOP_GATE: Final = (0.0, 0.0, 0.0)
"""Logit of "needs several passages": constant, weight of log(1 + distinct terms), weight of the idf mass of the
question that the best passage lacks."""

WITH_VECTORS: Final = Weights((0.0,) * 15, (0.0,) * 15, (0.0,) * 2)
"""Where at least one passage has vectors and the question has one."""

WITHOUT_VECTORS: Final = Weights((0.0,) * 15, (0.0,) * 15, (0.0,) * 2)
"""Words alone."""
