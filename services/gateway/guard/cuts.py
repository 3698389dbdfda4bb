"""Values that compression cut in two."""

from collections.abc import Iterator, Sequence

from scic.type.v1 import span_pb2
from services.gateway.guard.occurrences import Occurrence

_SHORTEST = 3
"""Characters of a rest that still tell something."""


def cut_occurrences(
    original: str, found: Sequence[Occurrence], spans: Sequence[span_pb2.Span], kept: str
) -> Iterator[Occurrence]:
    """The rests, in what was kept, of values that a border of a span cuts.

    `found` are the values' places in the original, `spans` the ranges of it that were kept, in order. A span stands in
    `kept` as it stood in the original; where one does not, as in a summary, its rests are looked for everywhere.
    """
    behind = 0
    for span in spans:
        at = kept.find(original[span.start : span.end], behind)
        behind = at + span.end - span.start if at >= 0 else behind
        for start, end, value in found:
            first, last = max(start, span.start), min(end, span.end)
            if last - first < _SHORTEST or (first, last) == (start, end):
                continue
            if at >= 0:
                yield Occurrence(at + first - span.start, at + last - span.start, value)
            else:
                rest = original[first:last].strip()
                place = kept.find(rest) if len(rest) >= _SHORTEST else -1
                while place >= 0:
                    yield Occurrence(place, place + len(rest), value)
                    place = kept.find(rest, place + 1)
