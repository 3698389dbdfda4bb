"""The order in which passages stand in the prompt."""

from collections.abc import Sequence
from typing import Final

from services.prompt.message import Trust
from services.prompt.request import Evidence, EvidenceOrder

_LABELS: Final = tuple(Trust)


def in_order(evidence: Sequence[Evidence], order: EvidenceOrder) -> list[tuple[Trust, list[int]]]:
    """The indexes of the passages by trust label, trusted first, each label's in its order; labels without any are
    left out. `evidence` is most valuable first.
    """
    labels = ((label, [i for i, item in enumerate(evidence) if item.trust is label]) for label in _LABELS)
    return [(label, _arranged(indexes, evidence, order)) for label, indexes in labels if indexes]


def _arranged(indexes: list[int], evidence: Sequence[Evidence], order: EvidenceOrder) -> list[int]:
    if order is EvidenceOrder.BEST_AT_BOTH_ENDS:
        return indexes[::2] + indexes[1::2][::-1]
    if order is EvidenceOrder.BY_SOURCE:
        rank = {source: place for place, source in enumerate(dict.fromkeys(evidence[i].source for i in indexes))}
        return sorted(indexes, key=lambda i: (rank[evidence[i].source], evidence[i].document_id, evidence[i].start))
    return indexes
