"""Selection: from candidates of several sources to one ranked list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.selector.fusion import DENSE_SHARE, fuse
from services.selector.query import Pick, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from services.selector.query import Candidates


def rank(candidates: Sequence[Candidates]) -> list[Pick]:
    """Choose each source's best by fused score up to its limit, each text once; all by descending score.

    A passage whose text was chosen already, in its own source or in one that stands before it, takes no place. It is
    returned beside the others and says for whom it was left out.
    """
    chosen: dict[int, Pick] = {}
    picks: list[Pick] = []
    for index, source in enumerate(candidates):
        fused = fuse(source.bm25, source.cosine, DENSE_SHARE[source.query.kind])
        places = source.query.limit
        for position in _descending(fused, places):
            if not places:
                break
            text = int(source.fingerprints[position])
            scores = Scores(float(source.bm25[position]), float(source.cosine[position]), float(fused[position]))
            pick = Pick(index, position, scores, chosen.get(text))
            picks.append(pick)
            if pick.duplicate_of is None:
                chosen[text] = pick
                places -= 1
    # Stable: among equals the order of sources and of their candidates decides.
    picks.sort(key=lambda pick: -pick.scores.fused)
    return picks


def _descending(scores: NDArray[np.float32], expected: int) -> Iterator[int]:
    """Positions by descending score, ties by position. Sorts first only what `expected` reads are likely to need."""
    done = 0
    wanted = 2 * expected
    while done < len(scores):
        if wanted < len(scores):
            # Everything as good as the last one wanted, so that ties are cut by position and not by chance.
            head = np.flatnonzero(scores >= np.partition(scores, -wanted)[-wanted])
        else:
            head = np.arange(len(scores))
        order = head[np.argsort(-scores[head], kind="stable")]
        yield from order[done:].tolist()
        done = len(order)
        wanted *= 4
