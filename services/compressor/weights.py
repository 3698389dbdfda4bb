"""The weights of the score, as data. See README.md, "Weights", for how they are fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Weights:
    """What a z-score of each signal is worth, in logits of "this unit is evidence"."""

    features: tuple[float, ...]
    """One for each of `features.FEATURES`."""
    bridges: tuple[float, ...]
    """One for each of `bridge.BRIDGES`; counts as far as the question looks like one that needs several passages."""


HOP_GATE: Final = (-13.04, 6.29, 2.83)
"""Logit of "needs several passages": constant, weight of log(1 + distinct terms), weight of the idf mass of the
question that the best passage lacks."""

WITH_VECTORS: Final = Weights(
    features=(-0.21, 0.25, 0.47, 0.72, -0.03, 0.56, 0.64, 0.51, 0.41, 0.63, 0.17, 0.0, 0.5, 0.19, 0.08),
    bridges=(0.26, 0.57),
)
"""Where at least one passage has vectors and the question has one."""

WITHOUT_VECTORS: Final = Weights(
    features=(-0.02, 0.3, 0.52, 0.0, 0.55, 0.0, 0.67, 0.6, 0.53, 0.68, 0.16, -0.17, 0.53, 0.48, 0.24),
    bridges=(0.22, 0.63),
)
"""Words alone, and the retrieval score."""
