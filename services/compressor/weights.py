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


HOP_GATE: Final = (-13.04, 6.29, 2.83)
"""Logit of "needs several passages": constant, weight of log(1 + distinct terms), weight of the idf mass of the
question that the best passage lacks."""

WITH_VECTORS: Final = Weights(
    features=(-0.2, 0.26, 0.46, 0.75, 0.27, 0.81, 0.63, 0.49, 0.37, 0.6, 0.12, 0.04, 0.49, 0.2, 0.07),
    many_hop=(0.0, 0.0, 0.0, 0.0, -0.66, -0.65, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    bridges=(0.24, 0.46),
)
"""Where at least one passage has vectors and the question has one."""

WITHOUT_VECTORS: Final = Weights(
    features=(0.0, 0.3, 0.5, 0.0, 0.87, 0.0, 0.65, 0.59, 0.51, 0.66, 0.15, -0.15, 0.53, 0.47, 0.23),
    many_hop=(0.0, 0.0, 0.0, 0.0, -0.78, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    bridges=(0.24, 0.58),
)
"""Words alone, and the retrieval score."""
