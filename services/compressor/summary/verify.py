"""The retention contract on what a model wrote: it says nothing that the passage does not say.

All checks err on the strict side: what is refused costs a summary, what is wrongly let through costs the truth.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from services.compressor.pins.patterns import compile_patterns
from services.compressor.summary.binding import moves_number, turns_negation
from services.compressor.summary.facts import Facts, stands
from services.compressor.summary.names import invents_name, moves_name
from services.compressor.summary.sentence import normalise, read_sentences
from services.text.wordlists import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.compressor.summary.sentence import Sentence

_KNOWN_SHARE: Final = 0.7
"""Of a sentence's terms, those that the passage must have."""
_SINGLE_SHARE: Final = 0.5
"""Those that one sentence of it must have."""
_ENGLISH_SHARE: Final = 0.2
"""Stop words of English prose are above 0.3 of all words, those that other languages share with it below 0.1."""
_WORD: Final = re.compile(r"[^\W\d_]+(?:'\w+)?")


class Violation(StrEnum):
    """How a summary breaks the contract."""

    FACT = "fact"
    """A number, date, identifier, URL, citation or code that does not stand in the passage."""
    PATTERN = "pattern"
    """What a pattern of the request matches does not stand in the passage."""
    NAME = "name"
    """A name that does not stand in the passage."""
    UNSUPPORTED = "unsupported"
    """A sentence that no sentence of the passage is like."""
    BINDING = "binding"
    """A number or a name stands with something else."""
    POLARITY = "polarity"
    """A negation or an exception is lost, invented or of something else."""


def is_verifiable(text: str) -> bool:
    """Whether a summary of a passage can be verified: negations are known in English only."""
    words = _WORD.findall(normalise(text).casefold())
    return sum(word in STOP_WORDS for word in words) > _ENGLISH_SHARE * len(words)


def verify(summary: str, original: str, patterns: Sequence[str]) -> Violation | None:
    """How a summary breaks the contract; None where it keeps it.

    Args:
        summary: what the model wrote; says something.
        original: the passage, its title included.
        patterns: RE2 patterns of further pins.
    """
    summary, original = normalise(summary), normalise(original)
    said, source = read_sentences(summary), read_sentences(original)
    terms = frozenset[str]().union(*(sentence.terms for sentence in source))
    checks: tuple[tuple[Violation, Callable[[], bool]], ...] = (
        (Violation.FACT, lambda: Facts(original).lacks(summary)),
        (Violation.PATTERN, lambda: _invents_match(summary, original, patterns)),
        (Violation.NAME, lambda: invents_name(said, original, terms)),
        (Violation.UNSUPPORTED, lambda: not all(_is_supported(sentence, source, terms) for sentence in said)),
        (Violation.BINDING, lambda: moves_number(said, source) or moves_name(said, source)),
        (Violation.POLARITY, lambda: turns_negation(said, source)),
    )
    return next((violation for violation, is_there in checks if is_there()), None)


def _invents_match(summary: str, original: str, patterns: Sequence[str]) -> bool:
    matches = compile_patterns(tuple(patterns)).find(summary)
    return not all(stands(summary[match.start : match.end], original) for match in matches)


def _is_supported(sentence: Sentence, source: Sequence[Sentence], terms: frozenset[str]) -> bool:
    size = len(sentence.terms)
    return (
        size > 0
        and len(sentence.terms & terms) >= _KNOWN_SHARE * size
        and max((len(sentence.terms & origin.terms) for origin in source), default=0) >= _SINGLE_SHARE * size
    )
