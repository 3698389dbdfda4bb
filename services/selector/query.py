"""A question to a store, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.selector.passage import EmbeddingModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.passage import Document, Passage, SourceKind

DEPTH = 100
"""Candidates of each ranking, of words and of meaning. Since both scores are known for all of them, min-max over these
ranks as well as over the best 1,000 of each list, or better, and costs less."""


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """A source to search."""

    source: str
    kind: SourceKind
    limit: int
    """Passages to return, at most."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds for a document whose metadata has one of these values under this key."""

    key: str
    any_of: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What to find."""

    terms: tuple[str, ...]
    """The question's analysed terms, repeats included; a repeated term counts as often as it stands here."""
    vector: NDArray[np.float32]
    """Shape (dimension,), unit length."""
    model_id: str
    """The model that made `vector`."""
    sources: tuple[SourceQuery, ...]
    conditions: tuple[Condition, ...] = ()
    """All must hold. They are applied before anything is ranked."""
    depth: int = DEPTH
    """Candidates of each ranking in each source; at least the source's limit is taken."""

    @property
    def model(self) -> EmbeddingModel:
        """The model of the vector and its dimension."""
        return EmbeddingModel(self.model_id, len(self.vector))


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """One source's best passages by words or by meaning, as columns of one length; the position names a candidate.

    Both scores are true for each candidate, whichever ranking found it. The order of candidates is the same whenever
    the corpus is, so that ties are broken the same way.
    """

    query: SourceQuery
    bm25: NDArray[np.float32]
    cosine: NDArray[np.float32]
    fingerprints: NDArray[np.uint64]
    """Equal for passages of the same text."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Why a passage stands where it stands."""

    bm25: float
    """Of the question's terms, over title path and text; 0 or more."""
    cosine: float
    """Of the question's vector and the passage's; -1 to 1."""
    fused: float
    """Within its source; 0 to 1."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate that was chosen, or was left out for a better one of the same text."""

    source: int
    """Position of its `Candidates`."""
    position: int
    """Its position in them."""
    scores: Scores
    duplicate_of: Pick | None = None
    """The better one, where this one was left out."""


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage that was found, and why."""

    passage: Passage
    scores: Scores
    duplicate_of: str | None = None
    """Passage id of a better one with the same text, for which this one was left out."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What was found."""

    passages: tuple[ScoredPassage, ...]
    """Best first."""
    corpus_version: int
    """Version of the corpus that was searched."""


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A part of a listing."""

    documents: Sequence[Document]
    next_page_token: str
    """Empty on the last page."""
