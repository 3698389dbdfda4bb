"""Assembles the reply: messages, evidence with citations, what was dropped and why, tokens by section."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import degradation_pb2
from services.gateway.building.candidate import Candidate
from services.gateway.building.kept import Kept
from services.gateway.guard.guard import Screen
from services.gateway.recipes.recipe import Recipe
from services.gateway.sources.climb import Selected

_DROP_REASONS = MappingProxyType(
    {
        compressor.CompressedPassage.REASON_TOO_LARGE: pb.DroppedPassage.REASON_TOO_LARGE,
        compressor.CompressedPassage.REASON_CONTRACT: pb.DroppedPassage.REASON_CONTRACT,
        compressor.CompressedPassage.REASON_SECTION_FULL: pb.DroppedPassage.REASON_SECTION_FULL,
        compressor.CompressedPassage.REASON_EMPTY: pb.DroppedPassage.REASON_EMPTY,
    }
)
"""What the compressor says of a dropped passage, in the reply's words; what is missing was less relevant."""


def assemble(
    *,
    recipe: Recipe,
    selected: Selected,
    candidates: Sequence[Candidate],
    guarded: Sequence[Candidate],
    compressed: compressor.CompressResponse,
    kept: Sequence[Kept],
    composed: composer.ComposeResponse,
    timings: Sequence[pb.StageTiming],
    degradations: Sequence[degradation_pb2.Degradation],
) -> pb.BuildContextResponse:
    """The reply for what the stages answered.

    `kept` is what was sent to Compose, in its order; `guarded` are the candidates that the guard kept out.
    """
    request, screen = recipe.request, recipe.screen
    return pb.BuildContextResponse(
        request_id=recipe.shown.request_id,
        messages=composed.messages,
        evidence=[
            kept[item.index].evidence(item.citation, defused=bool(composed.defused)) for item in composed.evidence
        ],
        dropped=[
            *_dropped_by_budget(candidates, compressed, kept, composed, screen),
            *(_dropped(candidate, 0, pb.DroppedPassage.REASON_GUARD, screen) for candidate in guarded),
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
        profile_version=recipe.profile.version,
        profile_label=recipe.resolved.label,
        corpus_version=selected.corpus_version,
        sources=selected.reports,
        compression=compressed.decision if compressed.HasField("decision") else None,
        retention=compressed.retention if compressed.HasField("retention") else None,
        isolation=pb.Isolation(defused=composed.defused, sensitive=screen.counts(), pseudonyms=screen.pseudonyms()),
        rendered=composed.rendered,
        prefix_token_count=composed.prefix_token_count,
    )


_PLANNED = frozenset(pb.PlanContextResponse.DESCRIPTOR.fields_by_name) & frozenset(
    pb.BuildContextResponse.DESCRIPTOR.fields_by_name
)
"""What a plan and a built context have in common."""


def plan(
    built: pb.BuildContextResponse, cache_forecast: pb.CacheStatus.ValueType, cost: pb.PromptCost | None
) -> pb.PlanContextResponse:
    """The plan that a built context is: the same figures, without the text."""
    response = pb.PlanContextResponse(
        **{field.name: value for field, value in built.ListFields() if field.name in _PLANNED},
        cache_forecast=cache_forecast,
        cost=cost,
    )
    for item in response.evidence:
        item.ClearField("text")
    response.isolation.ClearField("pseudonyms")
    return response


def _dropped_by_budget(
    candidates: Sequence[Candidate],
    compressed: compressor.CompressResponse,
    kept: Sequence[Kept],
    composed: composer.ComposeResponse,
    screen: Screen,
) -> Iterator[pb.DroppedPassage]:
    written = {kept[item.index].outcome.index for item in composed.evidence}
    for candidate, outcome in zip(candidates, compressed.passages, strict=True):
        if outcome.index not in written:
            reason = _DROP_REASONS.get(outcome.reason, pb.DroppedPassage.REASON_BUDGET)
            yield _dropped(candidate, outcome.original_token_count, reason, screen)


def _duplicates(selected: Selected) -> Iterator[pb.DroppedPassage]:
    for scored in selected.passages:
        if scored.duplicate_of:
            yield pb.DroppedPassage(
                passage_id=scored.passage.passage_id,
                document_id=scored.passage.document_id,
                source=scored.passage.source,
                score=scored.score,
                reason=pb.DroppedPassage.REASON_DUPLICATE,
                duplicate_of=scored.duplicate_of,
                trust=scored.passage.trust,
            )


def _dropped(
    candidate: Candidate, token_count: int, reason: pb.DroppedPassage.Reason.ValueType, screen: Screen
) -> pb.DroppedPassage:
    passage = candidate.passage
    return pb.DroppedPassage(
        passage_id=passage.passage_id,
        document_id=passage.document_id,
        source=passage.source,
        score=candidate.score,
        token_count=token_count,
        reason=reason,
        trust=passage.trust,
        title_path=[screen.mask(title) for title in passage.title_path],
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
