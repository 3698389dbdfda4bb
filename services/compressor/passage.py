"""What compression is given and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from services.compressor.fill import Section
from services.compressor.pins.pin import NO_PINS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from services.compressor.decision import Decision, Price
    from services.compressor.pins.pin import PinCounts
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
    CONTRACT = "contract"
    """Whole or dropped: a part of it would have maimed a pin, or code or JSON that was sound."""
    SUMMARY = "summary"
    """Summarised by an LLM."""
    SECTION_FULL = "section_full"
    """Its section's bound was reached."""


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
    section: int = 0
    """Index in the input's sections."""


@dataclass(frozen=True, slots=True)
class CompressInput:
    """A question, passages, and the room there is.

    A kept passage is rendered as its title line, what `rendering.render` makes of its kept units, and a line end, and
    costs the tokens of that and `overhead_tokens`.
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
    """Stands between two kept spans of prose."""
    sections: tuple[Section, ...] = (Section(),)
    """Parts of the budget, at least one."""
    pin_patterns: tuple[str, ...] = ()
    """RE2 patterns of further pins."""
    target_tokens: int | None = None
    """Tokens to shorten to where `max_tokens` allows more; None: `max_tokens`."""
    price: Price | None = None
    """What a token costs the reader; None: not known."""
    prompt_cached: bool = False
    """Whether the passages stand, whole, in the reader's prompt cache."""


@dataclass(frozen=True, slots=True)
class CompressedPassage:
    """What is left of one passage."""

    id: str
    spans: tuple[Span, ...]
    """Code points of its text: in order, disjoint, not adjacent."""
    text: str
    """What is kept as the prompt shows it, gaps marked, without the line end."""
    token_count: int
    """Tokens of `text` and the line end; 0 where nothing is kept."""
    original_token_count: int
    """Tokens of the whole text, line end included."""
    fate: Fate
    reason: Reason
    raw: bool
    """It came without usable prepared bytes, so its meaning was judged by its words alone."""
    kept_pins: PinCounts = NO_PINS
    """Pins that stand in `text`, by type, in the order of `PinType`."""
    dropped_pins: PinCounts = NO_PINS
    """Pins of the passage that do not."""


@dataclass(frozen=True, slots=True)
class SectionUse:
    """What a section took."""

    token_count: int
    """Headers included."""
    passage_count: int


@dataclass(frozen=True, slots=True)
class CompressOutput:
    """What is left of all of them."""

    passages: tuple[CompressedPassage, ...]
    """One for each passage of the input, in its order."""
    token_count: int
    """Tokens of all kept passages, title lines and overhead included; never above `max_tokens`."""
    decision: Decision
    """Whether and how far they were shortened, and why."""
    section_uses: tuple[SectionUse, ...]
    """One for each section of the input."""
    uncut: tuple[int, ...] = ()
    """Indexes of passages that could not be cut into units: they are whole or dropped."""
