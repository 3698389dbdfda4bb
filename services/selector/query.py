"""A question to a store, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from services.selector.passage import EmbeddingModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.caller import Caller
    from services.selector.passage import Document, Passage, SourceKind

DEPTH = 100
"""Candidates of each ranking, of words and of meaning. Since both scores are known for all of them, min-max over these
ranks as well as over the best 1,000 of each list, or better, and costs less."""


@dataclass(frozen=True, slots=True)
class Recency:
    """A preference for what is new."""

    half_life: timedelta
    """Age at which half of `weight` is gone."""
    weight: float
    """Part of the score that age can take away, above 0 to 1."""


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """A source to search."""

    source: str
    kind: SourceKind
    limit: int
    """Passages to return, at most."""
    everywhere: bool = False
    """Whether passages of every source are searched, by their vectors alone; `source` is then only a name."""
    recency: Recency | None = None
    timeout: float | None = None
    """Seconds its search may take; None: as long as the call has."""


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
    caller: Caller
    """What the caller may not see is no candidate and, where the store can, does not count in any statistic."""
    now: datetime
    """The time of the search, with its zone: what ages are measured from."""
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

    The order of candidates is the same whenever the corpus is, so that ties are broken the same way.
    """

    query: SourceQuery
    bm25: NDArray[np.float32]
    """NaN where the store does not know it: the words ranked the passage below all others that are here."""
    cosine: NDArray[np.float32]
    """True for each candidate, whichever ranking found it."""
    passages: NDArray[np.uint64]
    """Equal for the same passage, in whichever source it was found."""
    documents: NDArray[np.uint64]
    """Equal for passages of the same document."""
    fingerprints: NDArray[np.uint64]
    """Equal for passages of the same text."""
    sketches: NDArray[np.uint16]
    """Shape (candidates, sketch.SIZE): the more of a row is equal, the more alike are the texts. See `sketch`."""
    created: NDArray[np.float64]
    """Seconds since the epoch; NaN where unknown."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Why a passage stands where it stands."""

    lexical: float
    """BM25 of the question's terms, over title path and text; 0 or more. 0 where the store does not know it."""
    dense: float
    """Cosine of the question's vector and the passage's; -1 to 1."""
    lexical_part: float
    """What BM25 contributes, normalised and weighted; 0 to 1."""
    dense_part: float
    """What the cosine contributes, normalised and weighted; 0 to 1."""
    recency: float = 1.0
    """Factor for age, above 0 to 1."""
    novelty: float = 1.0
    """Factor for being the first of its document, above 0 to 1."""

    @property
    def value(self) -> float:
        """What the passage is ranked by; 0 to 1."""
        return (self.lexical_part + self.dense_part) * self.recency * self.novelty


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate that was chosen, or was left out for a better one that says the same."""

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
    found_by: str
    """Name of the source query that found it."""
    duplicate_of: str | None = None
    """Passage id of a better one that says the same, for which this one was left out."""


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """How the search of one source went."""

    source: str
    seconds: float
    error_reason: str = ""
    """Reason of the error catalogue where it failed; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What was found."""

    passages: tuple[ScoredPassage, ...]
    """Best first."""
    corpus_version: int
    """Version of the corpus that was searched."""
    sources: tuple[SourceOutcome, ...] = ()
    """One for each source of the query, in their order."""


class Written(NamedTuple):
    """What was stored."""

    corpus_version: int
    """Version of the corpus that includes all of it."""
    replaced_count: int
    """Documents that took the place of an older content."""
    previous_version: int
    """Version of the corpus before it; the same where nothing had to be stored."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed."""

    document_ids: tuple[str, ...]
    passage_count: int
    corpus_version: int
    """Version of the corpus without them."""
    previous_version: int
    """Version of the corpus before it; the same where nothing was removed."""


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What one source holds."""

    source: str
    document_count: int
    passage_count: int
    size: int
    """Bytes of the documents as they were sent."""


@dataclass(frozen=True, slots=True)
class Reindexing:
    """The state of a change of the embedding model."""

    model: EmbeddingModel
    """The model that the corpus moves to."""
    done: int
    """Passages that have their new vector."""
    total: int


@dataclass(frozen=True, slots=True)
class CorpusStats:
    """Counts of what a caller may see."""

    sources: tuple[SourceStats, ...]
    """By source, in the order of their names; none without documents."""
    corpus_version: int
    model: EmbeddingModel | None
    """The model of the vectors; None where there are none."""
    reindexing: Reindexing | None = None


@dataclass(frozen=True, slots=True)
class StaleDocument:
    """A document that has no vectors of a model yet."""

    document_id: str
    content_hash: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A part of a listing."""

    documents: Sequence[Document]
    next_page_token: str
    """Empty on the last page."""
