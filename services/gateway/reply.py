"""Assembles the reply: messages, evidence with citations, what was dropped and why, tokens by section."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import degradation_pb2
from services.gateway.candidate import Candidate
from services.gateway.climb import Selected
from services.gateway.recipe import Recipe

_DROP_REASONS = MappingProxyType(
    {
        compressor.CompressedPassage.REASON_TOO_LARGE: pb.DroppedPassage.REASON_TOO_LARGE,
        compressor.CompressedPassage.REASON_CONTRACT: pb.DroppedPassage.REASON_CONTRACT,
        compressor.CompressedPassage.REASON_SECTION_FULL: pb.DroppedPassage.REASON_SECTION_FULL,
        compressor.CompressedPassage.REASON_EMPTY: pb.DroppedPassage.REASON_EMPTY,
    }
)
"""What the compressor says of a dropped passage, in the reply's words; what is missing was less relevant."""

Kept = Sequence[tuple[Candidate, compressor.CompressedPassage]]
"""Candidates of which something was kept, with what was kept, in the order they were sent to Compose."""


def assemble(
    *,
    recipe: Recipe,
    selected: Selected,
    candidates: Sequence[Candidate],
    compressed: compressor.CompressResponse,
    kept: Kept,
    composed: composer.ComposeResponse,
    timings: Sequence[pb.StageTiming],
    degradations: Sequence[degradation_pb2.Degradation],
) -> pb.BuildContextResponse:
    """The reply for what the stages answered."""
    request = recipe.request
    return pb.BuildContextResponse(
        request_id=request.request_id,
        messages=composed.messages,
        evidence=[_evidence(*kept[item.index], item) for item in composed.evidence],
        dropped=[
            *_dropped_by_budget(candidates, compressed, kept, composed),
            *_duplicates(selected),
            *_dropped_turns(recipe),
        ],
        tokens=pb.TokenUsage(total=composed.token_count, max_tokens=request.max_tokens, sections=composed.sections),
        timings=timings,
        degradations=degradations,
        cache=pb.CACHE_STATUS_MISS,
        model=request.model,
        encoding=recipe.encoding.name,
        profile=recipe.profile.name,
        corpus_version=selected.corpus_version,
        sources=selected.reports,
        compression=compressed.decision if compressed.HasField("decision") else None,
        retention=compressed.retention if compressed.HasField("retention") else None,
    )


def plan(built: pb.BuildContextResponse, cache_forecast: pb.CacheStatus.ValueType) -> pb.PlanContextResponse:
    """The plan that a built context is: the same figures, without the text."""
    response = pb.PlanContextResponse(
        request_id=built.request_id,
        evidence=built.evidence,
        dropped=built.dropped,
        tokens=built.tokens,
        timings=built.timings,
        degradations=built.degradations,
        cache_forecast=cache_forecast,
        model=built.model,
        encoding=built.encoding,
        profile=built.profile,
        corpus_version=built.corpus_version,
        sources=built.sources,
        compression=built.compression if built.HasField("compression") else None,
        retention=built.retention if built.HasField("retention") else None,
    )
    for item in response.evidence:
        item.ClearField("text")
    return response


def _evidence(
    candidate: Candidate, outcome: compressor.CompressedPassage, written: composer.ComposedEvidence
) -> pb.Evidence:
    passage = candidate.passage
    return pb.Evidence(
        citation=written.citation,
        passage_id=passage.passage_id,
        document_id=passage.document_id,
        source=passage.source,
        title_path=passage.title_path,
        text=candidate.shown(outcome),
        spans=candidate.document_spans(outcome.spans),
        score=candidate.score,
        fate=_fate(outcome, whole=candidate.covers(outcome.spans)),
        token_count=outcome.token_count,
        original_token_count=outcome.original_token_count,
        metadata=passage.metadata,
        kept_pins=outcome.kept_pins,
        dropped_pins=outcome.dropped_pins,
    )


def _fate(outcome: compressor.CompressedPassage, *, whole: bool) -> pb.Evidence.Fate.ValueType:
    if outcome.reason == compressor.CompressedPassage.REASON_SUMMARY:
        return pb.Evidence.FATE_SUMMARISED
    return pb.Evidence.FATE_WHOLE if whole else pb.Evidence.FATE_COMPRESSED


def _dropped_by_budget(
    candidates: Sequence[Candidate],
    compressed: compressor.CompressResponse,
    kept: Kept,
    composed: composer.ComposeResponse,
) -> Iterator[pb.DroppedPassage]:
    written = {kept[item.index][1].index for item in composed.evidence}
    for candidate, outcome in zip(candidates, compressed.passages, strict=True):
        if outcome.index not in written:
            reason = _DROP_REASONS.get(outcome.reason, pb.DroppedPassage.REASON_BUDGET)
            yield _dropped(candidate, outcome.original_token_count, reason)


def _duplicates(selected: Selected) -> Iterator[pb.DroppedPassage]:
    for scored in selected.passages:
        if scored.duplicate_of:
            dropped = _dropped(Candidate(scored.passage, scored.score), 0, pb.DroppedPassage.REASON_DUPLICATE)
            dropped.duplicate_of = scored.duplicate_of
            yield dropped


def _dropped(candidate: Candidate, token_count: int, reason: pb.DroppedPassage.Reason.ValueType) -> pb.DroppedPassage:
    passage = candidate.passage
    return pb.DroppedPassage(
        passage_id=passage.passage_id,
        document_id=passage.document_id,
        source=passage.source,
        score=candidate.score,
        token_count=token_count,
        reason=reason,
    )


def _dropped_turns(recipe: Recipe) -> Iterator[pb.DroppedPassage]:
    budget = recipe.budget
    for index, tokens in enumerate(budget.turn_tokens[: len(budget.turn_tokens) - budget.kept_turns]):
        yield pb.DroppedPassage(
            passage_id=f"conversation/{index}",
            source="conversation",
            token_count=tokens,
            reason=pb.DroppedPassage.REASON_CONVERSATION_SHARE,
        )
