"""Builds a context: select, compress, compose, each within its share of the deadline and with a declared stand-in."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import quality_pb2
from scic.type.v1 import degradation_pb2, guard_pb2, prompt_pb2
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.gateway import reply
from services.gateway.candidate import Candidate, candidates
from services.gateway.climb import Selected
from services.gateway.decision import what_stood_in
from services.gateway.fallback import plain_cut, plain_prompt
from services.gateway.guard.guard import Screen
from services.gateway.guard.scan import is_scanned
from services.gateway.kept import Kept, kept
from services.gateway.ladder import Ladder
from services.gateway.ports import Composer, Compressor
from services.gateway.prices import token_price
from services.gateway.principal import Principal
from services.gateway.quality import measure
from services.gateway.recipe import Recipe
from services.gateway.search import Search
from services.gateway.sections import budget_sections
from services.gateway.stage_error import StageError
from services.prompt.fixed import frame_tokens

_Reply = TypeVar("_Reply")

_NAMES = {
    degradation_pb2.STAGE_SELECT: "select",
    degradation_pb2.STAGE_COMPRESS: "compress",
    degradation_pb2.STAGE_COMPOSE: "compose",
}
"""Stages as metrics name them."""

_LARGE_TOKENS = 4_000

_FIGURES = tuple(name for name in quality_pb2.Quality.DESCRIPTOR.fields_by_name if name != "recommendations")
"""The quality figures, as metrics name them."""


@dataclass(slots=True)
class _Run:
    """What is noted while one request runs."""

    recipe: Recipe
    deadline: Deadline
    dry_run: bool
    timings: list[pb.StageTiming] = field(default_factory=list)
    degradations: list[degradation_pb2.Degradation] = field(default_factory=list)

    def degrade(self, stage: degradation_pb2.Stage.ValueType, reason: str, detail: str) -> None:
        """Notes that something stood in for what was asked."""
        metrics.DEGRADATIONS.labels(_NAMES[stage], reason).inc()
        self.degradations.append(degradation_pb2.Degradation(stage=stage, reason=reason, detail=detail))


class ContextBuilder:
    """Orchestrates the stages for one request after another; holds no state between them."""

    def __init__(
        self,
        ladder: Ladder,
        compressor_stage: Compressor,
        composer_stage: Composer,
        clock: Callable[[], float],
        *,
        quality: bool = True,
    ) -> None:
        """With `quality` replies carry quality figures."""
        self._ladder = ladder
        self._compressor = compressor_stage
        self._composer = composer_stage
        self._clock = clock
        self._quality = quality

    async def build(
        self, principal: Principal, recipe: Recipe, deadline: Deadline, *, dry_run: bool = False
    ) -> pb.BuildContextResponse:
        """The reply for a recipe, never above its budget. A dry run keeps nothing for later and asks no LLM.

        A stage that is away or too slow costs quality: its stand-in's result is used and the reply says so. Errors that
        a stage reports about the request or the corpus itself are raised as they are.
        """
        run = _Run(recipe, deadline, dry_run)
        selected = await self._select(run, Search(principal, recipe))
        found = candidates(recipe.request, selected.passages)
        admitted, guarded = await self._admit(recipe, found)
        frames = frame_tokens((candidate.passage.trust for candidate in admitted), recipe.encoding)
        run.recipe = recipe = replace(recipe, budget=recipe.budget.with_frames(frames))
        compressed = await self._compress(run, admitted, selected.question_vector)
        run.recipe = recipe = replace(recipe, budget=recipe.budget.with_unused(compressed.token_count))
        show = partial(kept, admitted, compressed.passages, recipe.screen)
        # Many values in many texts take milliseconds: not on the loop.
        written = await asyncio.to_thread(show) if recipe.screen.masks else show()
        composed = await self._compose(run, written)
        built = reply.assemble(
            recipe=recipe,
            selected=selected,
            candidates=admitted,
            guarded=guarded,
            compressed=compressed,
            kept=written,
            composed=composed,
            timings=run.timings,
            degradations=run.degradations,
        )
        if self._quality:
            work = partial(measure, recipe.shown.question, built.evidence, built.dropped, built.tokens)
            # A quarter of a microsecond a token: a large context is not measured on the loop.
            large = built.tokens.total > _LARGE_TOKENS
            built.quality.CopyFrom(await asyncio.to_thread(work) if large else work())
        if not dry_run:
            _observe(built, recipe.resolved.variant)
        return built

    async def _select(self, run: _Run, search: Search) -> Selected:
        with self._timed(run, degradation_pb2.STAGE_SELECT):
            selected = await self._ladder.select(search, run.deadline, keep=not run.dry_run)
        for reason, detail in selected.failures:
            run.degrade(degradation_pb2.STAGE_SELECT, reason, detail)
        return selected

    async def _admit(self, recipe: Recipe, found: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Those that may stand in the prompt, and those that the guard keeps out."""
        work = partial(_divide, recipe.screen, found)
        if not recipe.screen.acts or all(is_scanned(candidate.passage.sensitive) for candidate in found):
            return work()
        # What nobody looked through yet takes a while: not on the loop.
        return await asyncio.to_thread(work)

    async def _compress(self, run: _Run, found: list[Candidate], question_vector: bytes) -> compressor.CompressResponse:
        if not found:
            return compressor.CompressResponse()
        recipe = run.recipe
        shares = budget_sections(found, recipe.profile.sources, recipe.budget.evidence)
        request = compressor.CompressRequest(
            question=recipe.request.question,
            question_vector=question_vector,
            passages=[c.compressible(section) for c, section in zip(found, shares.indexes, strict=True)],
            max_tokens=recipe.budget.evidence,
            encoding=recipe.encoding.name,
            overhead_tokens=recipe.profile.passage_overhead,
            gap=recipe.profile.gap,
            sections=shares.sections,
            pin_patterns=recipe.profile.pin_patterns,
            price=token_price(recipe.request.model),
            # What is masked must reach no LLM either, and masks come after compression.
            dry_run=run.dry_run or recipe.screen.masks,
        )
        response = await self._stage(
            run,
            degradation_pb2.STAGE_COMPRESS,
            lambda timeout: self._compressor.compress(request, timeout=timeout),
            lambda: plain_cut(request, recipe.encoding),
            "passages were kept whole, best first, as far as they fit",
        )
        if response.degraded_reason:
            run.degrade(degradation_pb2.STAGE_COMPRESS, response.degraded_reason, what_stood_in(response))
        return response

    async def _compose(self, run: _Run, written: Sequence[Kept]) -> composer.ComposeResponse:
        recipe = run.recipe
        request = composer.ComposeRequest(
            instructions=recipe.profile.instructions,
            tools=recipe.profile.tools,
            examples=recipe.profile.examples,
            conversation=recipe.kept_conversation,
            evidence=[one.evidence_input() for one in written],
            question=recipe.shown.question,
            max_tokens=recipe.request.max_tokens,
            reserved_output_tokens=recipe.reserved_output_tokens,
            encoding=recipe.encoding.name,
            order=recipe.profile.order,
            format=recipe.format,
            render=bool(recipe.request.render),
            model=recipe.request.model,
        )
        return await self._stage(
            run,
            degradation_pb2.STAGE_COMPOSE,
            lambda timeout: self._composer.compose(request, timeout=timeout),
            lambda: plain_prompt(request, recipe.encoding),
            "the gateway wrote the messages itself",
        )

    async def _stage(
        self,
        run: _Run,
        stage: degradation_pb2.Stage.ValueType,
        call: Callable[[float], Awaitable[_Reply]],
        stand_in: Callable[[], _Reply],
        detail: str,
    ) -> _Reply:
        """Runs a stage within its share of what is left of the deadline, or its stand-in."""
        share = run.recipe.profile.deadline_shares[stage]
        with self._timed(run, stage):
            try:
                return await call(run.deadline.share(share).remaining())
            except StageError as error:
                run.degrade(stage, error.reason, detail)
                # Counting tokens of long texts takes a while: not on the loop.
                return await asyncio.to_thread(stand_in)

    @contextmanager
    def _timed(self, run: _Run, stage: degradation_pb2.Stage.ValueType) -> Iterator[None]:
        start = self._clock()
        try:
            yield
        finally:
            seconds = self._clock() - start
            metrics.STAGE_DURATION.labels(_NAMES[stage]).observe(seconds)
            duration = Duration()
            duration.FromNanoseconds(int(seconds * 1e9))
            run.timings.append(pb.StageTiming(stage=stage, duration=duration))


def _observe(built: pb.BuildContextResponse, variant: str) -> None:
    """Counts what was defused and met, and notes the quality where it was measured."""
    for defused in built.isolation.defused:
        kind = prompt_pb2.ImitationType.Name(defused.type).removeprefix("IMITATION_TYPE_").lower()
        metrics.DEFUSED.labels(kind).inc(defused.count)
    for met in built.isolation.sensitive:
        kind = guard_pb2.SensitiveType.Name(met.type).removeprefix("SENSITIVE_TYPE_").lower()
        action = guard_pb2.GuardAction.Name(met.action).removeprefix("GUARD_ACTION_").lower()
        metrics.SENSITIVE.labels(kind, action).inc(met.count)
    if built.HasField("quality"):
        for figure in _FIGURES:
            metrics.QUALITY.labels(figure, variant).observe(getattr(built.quality, figure))


def _divide(screen: Screen, found: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    admitted: list[Candidate] = []
    guarded: list[Candidate] = []
    for candidate in found:
        (admitted if screen.admit(candidate.passage) else guarded).append(candidate)
    return admitted, guarded
