"""Fusion of words and meaning: the convex sum of normalised scores, comparable over all sources of a question.

Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023. It beats reciprocal rank
fusion where the scores themselves are known, as here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from services.selector.passage import SourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from services.selector.query import Candidates

DENSE_SHARE: Final[Mapping[SourceKind, float]] = MappingProxyType(
    {SourceKind.CODE: 0.75, SourceKind.DOCS: 0.5, SourceKind.HISTORY: 0.5}
)
"""How much of the fused score is meaning. A question shares few words with the code that answers it: nDCG@10 of CoSQA
is 53.8 with a share of .5, 58.5 with .7, 59.2 with .75, 60.3 with .85, while names in a question want BM25. SciFact
falls from 74.2 with .5 to 72.1 with .7."""

_SPREAD = (0.25, 0.55)
"""Least and greatest distance of the cosines that are worth 0 and 1. Among few candidates a small difference is not
made a great one. Among many the scale does not hang on the worst of them, so that a source ranks the same alone and
beside others: CoSQA's nDCG@10 beside two other sources is 59.0 instead of 58.0. Models whose cosines lie closer
together than those of all-MiniLM are scaled by their own candidates."""


def fuse(candidates: Sequence[Candidates]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The parts of words and of meaning in the fused score, each of shape (candidates of all sources,), 0 to 1.

    The best and the worst of *all* sources' candidates set the scale: a source whose best is bad has no good ones.
    What a source that is searched everywhere finds has no part of words, and its meaning weighs no more for that: the
    passage's own source knows it better. Were it all meaning, SciFact's nDCG@10 would fall from 73.3 to 67.7 beside it.
    """
    shares = [DENSE_SHARE[source.query.kind] for source in candidates]
    counts = [len(source.cosine) for source in candidates]
    share = np.repeat(np.array(shares, np.float64), counts)
    words = [np.zeros(n) if s.query.everywhere else _known(s.bm25) for s, n in zip(candidates, counts, strict=True)]
    meaning = [source.cosine for source in candidates]
    return (1 - share) * scale_words(_joined(words)), share * scale_meaning(_joined(meaning))


def scale_words(bm25: NDArray[np.float64]) -> NDArray[np.float64]:
    """BM25 as part of the best; 0 where no term matched."""
    best = bm25.max(initial=0.0)
    return bm25 / best if best > 0 else np.zeros_like(bm25)


def scale_meaning(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines by their distance from the best: 1 for it, 0 for the worst or for what is too far away."""
    narrow, wide = _SPREAD
    # A best cosine that is small in itself is not taken for a good one.
    best = cosine.max(initial=narrow)
    spread = min(max(best - cosine.min(initial=best), narrow), wide)
    scaled: NDArray[np.float64] = np.maximum(1 - (best - cosine) / spread, 0)
    return scaled


def _known(bm25: NDArray[np.float32]) -> NDArray[np.float32]:
    """BM25 with the least known one where it is NaN.

    That is the most it can be, since the words ranked such a passage below all others here. With the 60 best by words
    and the 60 best by meaning nDCG@10 is then 73.9, 43.9 and 59.9 on SciFact, Cranfield and CoSQA; where every BM25 is
    known it is 74.0, 44.0 and 59.3; with 0 for those that are not CoSQA falls to 57.7.
    """
    unknown = np.isnan(bm25)
    if not unknown.any():
        return bm25
    least = bm25.min(initial=np.inf, where=~unknown)
    return np.where(unknown, least if np.isfinite(least) else np.float32(0), bm25)


def _joined(columns: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    return np.concatenate(columns, dtype=np.float64) if columns else np.empty(0)
