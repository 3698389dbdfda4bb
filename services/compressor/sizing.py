"""What whole passages cost, known before any of them is looked at closely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.compressor.prepare import title_line
from services.compressor.prepared import COUNTED_ENCODINGS, PassageSignals, PreparedError, text_digest, unpack

if TYPE_CHECKING:
    from services.compressor.passage import CompressInput, Passage


@dataclass(frozen=True, slots=True)
class Size:
    """A passage's tokens, and its signals where it came prepared."""

    header: int
    """Title line and overhead."""
    text: int
    """The whole text and a line end; 0 where there are no words."""
    signals: PassageSignals | None
    """What is known of its units; None: nothing yet."""
    raw: bool
    """It came without usable prepared bytes."""


def measure(request: CompressInput) -> list[Size]:
    """One size for each passage, in order: read from the prepared bytes, counted where they cannot be used."""
    return [_measure(passage, request) for passage in request.passages]


def _measure(passage: Passage, request: CompressInput) -> Size:
    signals = read_signals(passage)
    if signals is None:
        title, text = request.encoding.count_batch([title_line(passage.title), f"{passage.text}\n"])
    else:
        index = COUNTED_ENCODINGS.index(request.encoding.name)
        title, text = signals.title_tokens[index], signals.text_tokens[index]
    return Size(title + request.overhead_tokens, text if passage.text.strip() else 0, signals, signals is None)


def read_signals(passage: Passage) -> PassageSignals | None:
    """The prepared signals, if they are sound and of this very title and text."""
    if not passage.prepared:
        return None
    try:
        signals = unpack(passage.prepared)
    except PreparedError:
        # Not an error of the request: the result says that the passage was taken raw.
        return None
    return signals if signals.digest == text_digest(passage.title, passage.text) else None
