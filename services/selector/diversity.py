"""Diversity: passages that say what a chosen one says, and passages of a document that has some already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.selector.sketch import alike, buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.query import Candidates

NOVELTY = 0.95
"""Factor for each better passage of the same document. It is a compromise: Recall@100 of SciFact's and Cranfield's
documents grows by .5 and .2; of the passages that hold the evidence for a question, several of them in one document,
78.0 % instead of 78.5 are among the best 5 and 85.8 instead of 86.1 among the best 10 (with .9: 77.7 and 85.3)."""


class Chosen:
    """The candidates chosen so far, named by their index among those of all sources together."""

    def __init__(self, candidates: Sequence[Candidates]) -> None:
        self._documents = np.concatenate([source.documents for source in candidates])
        self._fingerprints = np.concatenate([source.fingerprints for source in candidates])
        self._sketches = np.concatenate([source.sketches for source in candidates])
        self._buckets = buckets(self._sketches)
        self._chosen: list[int] = []
        self._of_document: dict[int, int] = {}
        self._of_text: dict[int, int] = {}
        self._of_bucket: dict[int, list[int]] = {}

    def of_document(self, candidate: int) -> int:
        """How many passages of the candidate's document are chosen."""
        return self._of_document.get(int(self._documents[candidate]), 0)

    def choose(self, candidate: int) -> int | None:
        """Choose a candidate, unless a chosen one says the same: then return the best of those."""
        text = int(self._fingerprints[candidate])
        same = self._of_text.get(text)
        if same is not None:
            return same
        of_buckets = [self._of_bucket.setdefault(bucket, []) for bucket in self._buckets[candidate].tolist()]
        if any(of_buckets):
            others = [self._chosen[place] for place in sorted(set().union(*of_buckets))]
            found = np.flatnonzero(alike(self._sketches[candidate], self._sketches[others]))
            if len(found):
                return others[int(found[0])]
        for places in of_buckets:
            places.append(len(self._chosen))
        self._chosen.append(candidate)
        self._of_text[text] = candidate
        document = int(self._documents[candidate])
        self._of_document[document] = self._of_document.get(document, 0) + 1
        return None
