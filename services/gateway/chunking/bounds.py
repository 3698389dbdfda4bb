"""How long a passage is.

The encoder reads 256 word pieces at once. Prose and code alike have about 245 word pieces in 1,000 characters (median
of technical Markdown and of Python), so the target leaves room for the title and most passages take one pass.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lengths in characters (code points)."""

    target: int
    """What a passage should have."""
    maximum: int
    """What no passage exceeds."""


PASSAGE = Bounds(target=900, maximum=1_200)
"""About 140 and 190 words of English."""
SMALL = 240
"""About 40 words. A passage below it is joined with a neighbour of its section if the two fit."""
JOINED = 600
"""About 95 words: what small neighbouring sections are joined up to."""
