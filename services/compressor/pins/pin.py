"""The facts that compression must not maim."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class PinType(IntEnum):
    """Kinds of facts; the values are those of the API, and the order is part of the prepared format."""

    NUMBER = 1
    """A number with its unit: `5 km`, `12.5 %`, `$3m`, `v1.2.3`."""
    DATE = 2
    """A date or a time."""
    IDENTIFIER = 3
    """`getUserName`, `ERR_42`, a UUID, a hash, a path, a mail address."""
    NEGATION = 4
    """A negation or an exception, with the sentence it is about."""
    URL = 5
    CODE = 6
    """A code span in prose."""
    CITATION = 7
    """`[3]`, `(Smith et al., 2020)`, `doi:10.1000/1`, `RFC 2119`."""
    PATTERN = 8
    """What a pattern of the request matches."""


PinCounts = tuple[int, ...]
"""How many pins of each type, in the order of `PinType`."""

NO_PINS: Final[PinCounts] = (0,) * len(PinType)


@dataclass(frozen=True, slots=True)
class Pin:
    """One such fact: code points [start, end) of a text. No part of it may be kept without the rest."""

    start: int
    end: int
    type: PinType
