"""A passage as the figures see it: read once, all figures from that."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from services.gateway.quality.question import terms_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from scic.gateway.v1 import context_service_pb2 as pb
    from scic.type.v1 import score_pb2

_COVERED: Final = 0.5
"""Part of the question's terms that is enough in one passage: an answer in two steps lies in two passages."""
_ENOUGH: Final = 6
"""Terms that are enough of a long question."""
_FAR: Final = 0.1
_NEAR: Final = 0.5
"""Cosines of all-MiniLM-L6-v2: three of four passages for other questions lie below the first, half of those that hold
an answer lie above the second."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One passage of the evidence."""

    source: str
    tokens: int
    """Of its text in the prompt; 1 at least, so that it counts."""
    asked: frozenset[str]
    """Terms of the question that its text or its titles hold."""
    shingles: frozenset[tuple[str, ...]]
    """Pairs of neighbouring terms of its text; of a text of one term, that."""
    fit: float
    """How well it fits the question, 0 to 1."""


def read_passage(passage: pb.Evidence, asked: Mapping[str, str]) -> Reading:
    """Read a passage for a question with these terms."""
    terms = terms_of(passage.text)
    held = asked.keys() & {*terms, *terms_of(" ".join(passage.title_path))}
    return Reading(
        source=passage.source,
        tokens=max(passage.token_count, 1),
        asked=frozenset(held),
        shingles=frozenset(pairwise(terms)) or frozenset((term,) for term in terms),
        fit=fit_of(held, asked, passage.score),
    )


def fit_of(held: AbstractSet[str], asked: Mapping[str, str], score: score_pb2.Score) -> float:
    """How well a passage fits that holds these of the asked terms: by words, and by meaning where its cosine is known.

    Means of both: words know names and numbers, meaning knows other words for the same.
    """
    enough = min(max(len(asked) * _COVERED, 1), _ENOUGH)
    by_words = min(len(held) / enough, 1.0)
    if not score.dense:
        # An inline passage, which was never compared.
        return by_words
    by_meaning = min(max((score.dense - _FAR) / (_NEAR - _FAR), 0.0), 1.0)
    return (by_words + by_meaning) / 2
