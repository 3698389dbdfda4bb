"""Sketches: a few bytes of a passage that tell whether another one says the same.

MinHash of the passage's word triples (Broder, "On the resemblance and containment of documents", 1997) behind a digest
of its facts: texts that differ in a number, a name, a negation or another word that turns a statement around are never
alike, however small the difference.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np
import regex

from services.selector.indexing import term_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FACTS: Final = 4
"""Columns of the digest: 64 bits."""
_HASHES: Final = 32
SIZE: Final = _FACTS + _HASHES
"""Columns of a sketch."""
_ALIKE: Final = 30
"""Hashes that must be equal of 32: 94 % of the word triples in common, by the estimate."""

_WORD = re.compile(r"[-+<>]?\w+(?:[.,:/'\u2019-]\w+)*%?")
_TURNS: Final = frozenset(
    _WORD.findall(
        "no not never none nor neither nobody nothing nowhere without cannot unable hardly barely only except unless "
        "all any always both may must should shall true false yes on off enable enabled disable disabled allow allows "
        "allowed deny denies denied forbid forbids forbidden before after above below more less least most min max "
        "minimum maximum increase increases increased increasing decrease decreases decreased decreasing higher lower "
        "left right first last one two three four five six seven eight nine ten twice half hundred thousand million "
        "billion"
    )
)
"""Words that turn a statement around, or count."""
_DIGIT_OR_NEGATION = re.compile(r"\d|n['\u2019]t$")
_NAME = regex.compile(r"(?<=[\p{L}\p{N},;]\s)\p{Lu}\w*")
"""A capital inside a sentence."""
_MULTIPLIERS = np.random.default_rng(1997).integers(1, 1 << 63, (_HASHES, 1), dtype=np.uint64) * 2 + 1
_ODD = np.random.default_rng(2014).integers(1, 1 << 63, _HASHES - _ALIKE + 1, dtype=np.uint64) * 2 + 1
_ORDER = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
"""Odd factors that make a triple's hash depend on the order of its words."""


def make_sketch(terms: Sequence[str], text: str) -> NDArray[np.uint16]:
    """Sketch of a passage by its analysed terms and its text; shape (SIZE,)."""
    words = _WORD.findall(text.lower())
    facts = [word for word in words if word in _TURNS or _DIGIT_OR_NEGATION.search(word)]
    written = "\n".join(sorted(facts + _NAME.findall(text))).encode()
    digest = np.frombuffer(blake2b(written, digest_size=2 * _FACTS).digest(), "<u2")
    keys = np.array([term_key(term) for term in terms] or [0], np.uint64)
    if len(keys) < len(_ORDER):
        keys = np.resize(keys, len(_ORDER))
    triples = (np.lib.stride_tricks.sliding_window_view(keys, len(_ORDER)) * _ORDER).sum(axis=1, dtype=np.uint64)
    triples ^= triples >> np.uint64(29)
    smallest = (triples * _MULTIPLIERS).min(axis=1)
    return np.concatenate((digest, (smallest >> np.uint64(16)).astype(np.uint16)))


def buckets(sketches: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Keys of shape (n, 3) for sketches of shape (n, SIZE): two that are alike have at least one in common.

    A key stands for the facts and four hashes. At most two hashes of those that are alike differ, so one key does not.
    """
    words = np.ascontiguousarray(sketches).view(np.uint64).reshape(len(sketches), SIZE // _FACTS)
    return words[:, :1] ^ (words[:, 1 : 1 + len(_ODD)] * _ODD)


def alike(sketch: NDArray[np.uint16], others: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which of `others`, shape (n, SIZE), say what a passage says that has this sketch."""
    equal = others == sketch
    facts: NDArray[np.bool_] = equal[:, :_FACTS].all(axis=1)
    near: NDArray[np.bool_] = np.count_nonzero(equal[:, _FACTS:], axis=1) >= _ALIKE
    return facts & near
