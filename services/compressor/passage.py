"""What compression is given and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from services.compressor.ports import TokenCounter

Span = tuple[int, int]


class Fate(StrEnum):
    """What became of a passage."""

    KEPT = "kept"
    """Every word of it."""
    COMPRESSED = "compressed"
    """Some of it."""
    DROPPED = "dropped"
    """Nothing of it."""


class Reason(StrEnum):
    """Why."""

    FITS = "fits"
    """Kept whole: everything fits, or all of it is worth its tokens."""
    BEST_UNITS = "best_units"
    """Its best units were kept."""
    HEAD = "head"
    """Its beginning was kept: the plain cut stood in for the scored one."""
    LESS_RELEVANT = "less_relevant"
    """Others answer the question better, and the budget ended."""
    TOO_LARGE = "too_large"
    """No unit of it fits the budget even alone."""
    EMPTY = "empty"
    """It has no words."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage to compress."""

    id: str
    title: str
    """The title as the prompt shows it; may be empty."""
    text: str
    kind: str
    """"docs", "code" or "history"."""
    prepared: bytes | None = None
    """What `pack` made of it at ingestion."""
    score: float = 0.0
    """How well retrieval found that it fits; higher is better."""


@dataclass(frozen=True, slots=True)
class CompressInput:
    """A question, passages, and the room there is.

    A kept passage is rendered as its title line, its spans joined by `gap`, and a line end, and costs the tokens of
    that and `overhead_tokens`.
    """

    question: str
    question_vector: NDArray[np.float32] | None
    """Of unit length, by the encoder that made the passages' vectors; None: words alone decide."""
    passages: tuple[Passage, ...]
    max_tokens: int
    """For all kept passages together; 0 or more."""
    encoding: TokenCounter
    overhead_tokens: int
    """What the prompt spends on a kept passage besides title line, text and line end."""
    gap: str = " "
    """Stands between two kept spans of a passage."""


@dataclass(frozen=True, slots=True)
class CompressedPassage:
    """What is left of one passage."""

    id: str
    spans: tuple[Span, ...]
    """Code points of its text: in order, disjoint, not adjacent."""
    token_count: int
    """Tokens of the kept spans, gaps and line end included; 0 where nothing is kept."""
    original_token_count: int
    """Tokens of the whole text, line end included."""
    fate: Fate
    reason: Reason
    raw: bool
    """It came without usable prepared bytes, so its meaning was judged by its words alone."""


@dataclass(frozen=True, slots=True)
class CompressOutput:
    """What is left of all of them."""

    passages: tuple[CompressedPassage, ...]
    """One for each passage of the input, in its order."""
    token_count: int
    """Tokens of all kept passages, title lines and overhead included; never above `max_tokens`."""
