"""Sketches: a few bytes of a passage that tell whether another one says the same.

MinHash of the passage's word triples (Broder, "On the resemblance and containment of documents", 1997) behind a digest
of its facts: texts that differ in a number, a name with digits or a negation are never alike, however small the rest.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from services.selector.indexing import term_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FACTS: Final = 4
"""Columns of the digest: 64 bits."""
_HASHES: Final = 32
SIZE: Final = _FACTS + _HASHES
"""Columns of a sketch."""
_ALIKE: Final = 29
"""Hashes that must be equal of 32: 90 % of the word triples in common, by the estimate."""

_FACT = re.compile(r"\w*\d[\w.,:/%-]*|\b(?:no|not|never|none|nor|without|cannot)\b|n['\u2019]t\b")
_MULTIPLIERS = np.random.default_rng(1997).integers(1, 1 << 63, (_HASHES, 1), dtype=np.uint64) * 2 + 1
_ORDER = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
"""Odd factors that make a triple's hash depend on the order of its words."""


def make_sketch(terms: Sequence[str], text: str) -> NDArray[np.uint16]:
    """Sketch of a passage by its analysed terms and its text; shape (SIZE,)."""
    facts = "\n".join(sorted(_FACT.findall(text.lower()))).encode()
    digest = np.frombuffer(blake2b(facts, digest_size=2 * _FACTS).digest(), "<u2")
    keys = np.array([term_key(term) for term in terms] or [0], np.uint64)
    if len(keys) < len(_ORDER):
        keys = np.resize(keys, len(_ORDER))
    triples = (np.lib.stride_tricks.sliding_window_view(keys, len(_ORDER)) * _ORDER).sum(axis=1, dtype=np.uint64)
    triples ^= triples >> np.uint64(29)
    smallest = (triples * _MULTIPLIERS).min(axis=1)
    return np.concatenate((digest, (smallest >> np.uint64(16)).astype(np.uint16)))


def alike(sketch: NDArray[np.uint16], others: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which of `others`, shape (n, SIZE), say what a passage says that has this sketch."""
    equal = others == sketch
    facts: NDArray[np.bool_] = equal[:, :_FACTS].all(axis=1)
    return facts & (np.count_nonzero(equal[:, _FACTS:], axis=1) >= _ALIKE)
