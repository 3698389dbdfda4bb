"""What of a passage is indexed, the same for every store."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from services.text.terms import analyse

if TYPE_CHECKING:
    from services.selector.passage import Passage


def passage_terms(passage: Passage) -> list[str]:
    """Terms a passage is found by, in order and with repeats: those of its title path, then those of its text.

    A title counts as text of the passage: its terms have the weight and the length of any others.
    """
    return analyse("\n".join((*passage.title_path, passage.text)))


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
