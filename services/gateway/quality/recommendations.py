"""What would make a context better."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import quality_pb2
from services.gateway.quality.figures import evidence_tokens, used_tokens
from services.gateway.quality.question import terms_of
from services.gateway.quality.reading import fit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from services.gateway.quality.coherence import Coherence
    from services.gateway.quality.reading import Reading

_Kind = quality_pb2.Recommendation

MOST: Final = 3
"""Recommendations of a context, at most."""
HIGH_REDUNDANCY: Final = 0.3
LOW_RELEVANCE: Final = 0.7
LOW_COHERENCE: Final = 0.5
_UNCOVERED: Final = 1 / 3
"""Part of the question's terms that no passage holds, from which on more sources are recommended."""
_SPARE: Final = 0.4
"""Part of the evidence that adds little, above which a smaller budget is recommended."""
_MISSED: Final = 0.1
"""Part that good passages which were left out have of all good ones and the evidence, from which on a larger one is."""
_BAD_FIT: Final = 0.35
_GOOD_FIT: Final = 0.7
_NAMED: Final = 4
"""Words that are named, at most."""
_FOR_ROOM: Final = frozenset(
    {
        pb.DroppedPassage.REASON_BUDGET,
        pb.DroppedPassage.REASON_TOO_LARGE,
        pb.DroppedPassage.REASON_SECTION_FULL,
    }
)


@dataclass(frozen=True, slots=True)
class Context:
    """What recommendations are made of."""

    asked: Mapping[str, str]
    passages: Sequence[Reading]
    dropped: Sequence[pb.DroppedPassage]
    tokens: pb.TokenUsage
    relevance: float
    redundancy: float
    coherence: Coherence


class _Advice(NamedTuple):
    gain: float
    """How much of the context it would change for the better, 0 to 1."""
    kind: quality_pb2.Recommendation.Kind.ValueType
    detail: str


def recommend(context: Context) -> list[quality_pb2.Recommendation]:
    """At most three recommendations, most helpful first."""
    given = [advice for rule in _RULES if (advice := rule(context))]
    given.sort(key=lambda advice: -advice.gain)
    return [quality_pb2.Recommendation(kind=advice.kind, detail=advice.detail) for advice in given[:MOST]]


def _add_sources(context: Context) -> _Advice | None:
    held = frozenset().union(*(passage.asked for passage in context.passages))
    missing = list(dict.fromkeys(word for term, word in context.asked.items() if term not in held))
    part = len(context.asked.keys() - held) / len(context.asked) if context.asked else 0.0
    if part < _UNCOVERED or (not context.passages and _dropped_for_room(context)):
        # What was found and found no room may well hold them.
        return None
    named = ", ".join(f"“{word}”" for word in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    detail = (
        f"No passage has {named}{more} of the question ({100 * part:.0f} % of its terms): ingest what answers that, or "
        "search more sources."
    )
    return _Advice(part, _Kind.KIND_ADD_SOURCES, detail)


def _improve_relevance(context: Context) -> _Advice | None:
    bad = [passage for passage in context.passages if passage.fit < LOW_RELEVANCE]
    if not bad or context.relevance >= LOW_RELEVANCE:
        return None
    by_source = Counter[str]()
    for passage in bad:
        by_source[passage.source] += passage.tokens
    worst = max(by_source, key=by_source.__getitem__)
    detail = (
        f"Relevance is {context.relevance:.2f}, below {LOW_RELEVANCE}: {len(bad)} of {len(context.passages)} passages, "
        f"{by_source.total():,} of {evidence_tokens(context.passages):,} tokens, fit less than that, most of them from "
        f"`{worst}`. Other sources, a filter or a more precise question would help."
    )
    return _Advice(1 - context.relevance / LOW_RELEVANCE, _Kind.KIND_IMPROVE_RELEVANCE, detail)


def _reduce_redundancy(context: Context) -> _Advice | None:
    if context.redundancy <= HIGH_REDUNDANCY:
        return None
    repeated = round(context.redundancy * evidence_tokens(context.passages))
    detail = (
        f"Redundancy is {context.redundancy:.2f}, above {HIGH_REDUNDANCY}: fewer passages would say the same in about "
        f"{repeated:,} of {evidence_tokens(context.passages):,} tokens less."
    )
    return _Advice(context.redundancy, _Kind.KIND_REDUCE_REDUNDANCY, detail)


def _raise_budget(context: Context) -> _Advice | None:
    good = _good_dropped(context) if context.passages else _dropped_for_room(context)
    missed = sum(passage.token_count for passage in good)
    part = missed / (missed + evidence_tokens(context.passages)) if missed else 0.0
    if part < _MISSED:
        return None
    which = "Passages that fit the question well" if context.passages else "All passages"
    detail = (
        f"{which} were left out for want of room: {len(good)} with {missed:,} tokens. "
        f"max_tokens of about {context.tokens.max_tokens + missed:,} instead of {context.tokens.max_tokens:,} would "
        "hold them."
    )
    return _Advice(part, _Kind.KIND_RAISE_BUDGET, detail)


def _lower_budget(context: Context) -> _Advice | None:
    total, spare = evidence_tokens(context.passages), _spare_tokens(context.passages)
    if not _SPARE * total < spare < total or _good_dropped(context):
        return None
    used = used_tokens(context.tokens)
    detail = (
        f"{spare:,} of {total:,} tokens of evidence fit badly and add nothing: a prompt of about "
        f"{max(used - spare, 0):,} tokens instead of {used:,} would do."
    )
    return _Advice(spare / total, _Kind.KIND_LOWER_BUDGET, detail)


def _improve_coherence(context: Context) -> _Advice | None:
    coherence = context.coherence
    if not context.passages or coherence.value >= LOW_COHERENCE:
        return None
    size = round(evidence_tokens(context.passages) / coherence.pieces)
    detail = (
        f"Coherence is {coherence.value:.2f}, below {LOW_COHERENCE}: the evidence is {coherence.pieces} pieces of "
        f"about {size} tokens, and {coherence.apart} of {len(context.passages)} passages stand apart from their "
        "documents. Fewer, longer passages, or those of a document together, would read better."
    )
    # Half: it costs a reader more effort, not what there is to read.
    return _Advice((1 - coherence.value) / 2, _Kind.KIND_IMPROVE_COHERENCE, detail)


_RULES: Final[tuple[Callable[[Context], _Advice | None], ...]] = (
    _add_sources,
    _improve_relevance,
    _reduce_redundancy,
    _raise_budget,
    _lower_budget,
    _improve_coherence,
)
"""In the order in which equal gains stand."""


def _dropped_for_room(context: Context) -> list[pb.DroppedPassage]:
    return [passage for passage in context.dropped if passage.reason in _FOR_ROOM]


def _good_dropped(context: Context) -> list[pb.DroppedPassage]:
    """Those left out for want of room that fit well, as far as titles and scores tell."""
    return [
        passage
        for passage in _dropped_for_room(context)
        if fit_of(context.asked.keys() & set(terms_of(" ".join(passage.title_path))), context.asked, passage.score)
        >= _GOOD_FIT
    ]


def _spare_tokens(passages: Sequence[Reading]) -> int:
    """Tokens of passages that fit badly and hold no term of the question that a better one does not hold."""
    held: set[str] = set()
    spare = 0
    for passage in sorted(passages, key=lambda one: -one.fit):
        if passage.fit < _BAD_FIT and passage.asked <= held:
            spare += passage.tokens
        held |= passage.asked
    return spare
