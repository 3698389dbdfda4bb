"""The weights of the score, read once from `weights.json`. `weights.md` says what they were fitted on and how well."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from services.compressor.scoring.bridge import BRIDGES
from services.compressor.scoring.features import FEATURES, HOP_FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

WEIGHTS_FILE: Final = Path(__file__).with_suffix(".json")
FORMAT: Final = 1
"""The version of the file's form."""
GATE: Final = ("constant", "terms", "lack")
"""Inputs of the gate: 1, log(1 + distinct terms), idf mass of the question that the best passage lacks."""
_HOP_COLUMNS: Final = [FEATURES.index(name) for name in HOP_FEATURES]


class WeightsError(ValueError):
    """A file of weights that does not belong to this code."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What a z-score of each signal is worth, in logits of "this unit is evidence"."""

    features: NDArray[np.float64]
    """One for each of `features.FEATURES`."""
    hops: NDArray[np.float64]
    """One for each of `features.HOP_FEATURES`, added as far as the question looks like one of several passages."""
    bridges: NDArray[np.float64]
    """One for each of `bridge.BRIDGES`; counts as far as that, too."""

    def first_look(self, columns: NDArray[np.float64], hops: float) -> NDArray[np.float64]:
        """(n,) the score before any bridge: `columns` (n, features) are z-scores, `hops` is the gate's 0 to 1."""
        features = self.features.copy()
        features[_HOP_COLUMNS] += hops * self.hops
        result: NDArray[np.float64] = columns @ features
        return result


@dataclass(frozen=True, slots=True)
class FillConstants:
    """What `fill.py` weighs with."""

    sharpness: float
    """A unit that is likelier by a logit is worth exp(sharpness) times as much."""
    diversity: float
    """Logits that a unit loses at cosine 1 to a better one, times the share of the context that fits: where little
    fits, several units around the answer are worth more than one of everything."""
    repeat_cosine: float
    """From here on a unit says what a better one of its passage says. Of two vectors at 0.98, half bytes make 0.965."""
    repeat_cosine_apart: float
    """The same for units of two passages: lower, because what units read of their passage makes them alike."""
    repeat_penalty: float
    """Logits that a repeat loses, at any budget: it goes to the end of the queue."""


@dataclass(frozen=True, slots=True)
class Model:
    """All that is fitted."""

    version: str
    """Of the fit: the day it was made."""
    gate: NDArray[np.float64]
    """Logit of "needs several passages": one for each of `GATE`."""
    with_vectors: Weights
    """Where at least one passage has vectors and the question has one."""
    without_vectors: Weights
    """Words alone, and the retrieval score."""
    fill: FillConstants


def read_model(text: str) -> Model:
    """The model in a file's text.

    Raises:
        WeightsError: the file is of another form, or its names are not those of the code, in order.
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise WeightsError(f"weights are of format {data['format']}, not {FORMAT}")
        return Model(
            version=str(data["version"]),
            gate=_values(data["gate"], GATE),
            with_vectors=_weights(data["with_vectors"]),
            without_vectors=_weights(data["without_vectors"]),
            fill=FillConstants(**{name: float(value) for name, value in data["fill"].items()}),
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise WeightsError(f"not a file of weights: {error}") from error


def _weights(data: Mapping[str, Any]) -> Weights:
    return Weights(
        _values(data["features"], FEATURES), _values(data["hops"], HOP_FEATURES), _values(data["bridges"], BRIDGES)
    )


def _values(named: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    if tuple(named) != tuple(names):
        raise WeightsError(f"weights are of {', '.join(named)}, not of {', '.join(names)}")
    return np.array([float(value) for value in named.values()])


MODEL: Final = read_model(WEIGHTS_FILE.read_text(encoding="utf-8"))
