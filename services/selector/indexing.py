"""What of a passage is indexed, the same for every store."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING

from services.selector.passage import SourceKind
from services.text.terms import analyse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.passage import Passage

BM25_K1 = 1.5
BM25_B = 0.75
"""How much repeats and length weigh, in every store."""


def passage_terms(passage: Passage) -> list[str]:
    """A passage's own terms, in order and with repeats: those of its title path, then those of its text.

    A title counts as text of the passage: its terms have the weight and the length of any others.
    """
    return analyse("\n".join((*passage.title_path, passage.text)))


def search_terms(kind: SourceKind, own: Sequence[list[str]]) -> list[list[str]]:
    """Terms that each passage of a document is found by, given the own ones of all its passages in order.

    In a conversation an answer seldom repeats the words of its question: a turn is found by those of the turn before it
    and of the one after it too.
    """
    if kind is not SourceKind.HISTORY:
        return list(own)
    return [list(chain.from_iterable(own[max(at - 1, 0) : at + 2])) for at in range(len(own))]


def question_terms(question: str) -> tuple[str, ...]:
    """Terms a question searches by."""
    return tuple(analyse(question))


@lru_cache(maxsize=1 << 16)
def term_key(term: str) -> int:
    """64-bit hash that stands for a term. One collision is likely only among billions of terms."""
    return int.from_bytes(blake2b(term.encode(), digest_size=8).digest(), "little")


def fingerprint(text: str) -> int:
    """64-bit hash of a text; passages of equal fingerprint have the same text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
