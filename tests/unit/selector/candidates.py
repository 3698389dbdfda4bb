"""Candidates for tests of the ranking, by columns."""

from collections.abc import Sequence
from itertools import count as count_up
from itertools import islice

import numpy as np

from services.selector.passage import SourceKind
from services.selector.query import Candidates, Recency, SourceQuery
from services.selector.sketch import SIZE

_anything = count_up(1 << 32)


def candidates(
    bm25: Sequence[float],
    cosine: Sequence[float] | None = None,
    *,
    limit: int = 10,
    kind: SourceKind = SourceKind.DOCS,
    everywhere: bool = False,
    recency: Recency | None = None,
    passages: Sequence[int] | None = None,
    documents: Sequence[int] | None = None,
    texts: Sequence[int] | None = None,
    created: Sequence[float] | None = None,
) -> Candidates:
    """Candidates of a source; what is not said is different for each, also between sources, and its age is unknown.

    Cosines are a tenth of BM25 where they are not given. Texts of different number have nothing in common.
    """
    count = len(bm25)
    anything = list(islice(_anything, count))
    names = anything if texts is None else texts
    return Candidates(
        query=SourceQuery("source", kind, limit, everywhere, recency),
        bm25=np.array(bm25, np.float32),
        cosine=np.array([score / 10 for score in bm25] if cosine is None else cosine, np.float32),
        passages=np.array(anything if passages is None else passages, np.uint64),
        documents=np.array(anything if documents is None else documents, np.uint64),
        fingerprints=np.array(names, np.uint64),
        sketches=np.array([np.random.default_rng(n).integers(0, 1 << 16, SIZE) for n in names], np.uint16).reshape(
            count, SIZE
        ),
        created=np.full(count, np.nan) if created is None else np.array(created, np.float64),
    )
