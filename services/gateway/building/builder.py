"""Builds a context: select, compress, compose, each within its share of the deadline and with a declared stand-in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from scic import errors
from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import quality_pb2
from scic.type.v1 import compression_pb2, degradation_pb2, guard_pb2, prompt_pb2
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.chassis.work import on_thread
from services.gateway.building import reply
from services.gateway.building.candidate import Candidate, candidates
from services.gateway.building.decision import what_stood_in
from services.gateway.building.fallback import plain_cut, plain_prompt
from services.gateway.building.kept import Kept, kept
from services.gateway.building.prices import token_price
from services.gateway.building.run import STAGES, Run
from services.gateway.building.sections import budget_sections
from services.gateway.callers.principal import Principal
from services.gateway.guard.guard import Screen
from services.gateway.guard.scan import is_scanned
from services.gateway.quality import measure
from services.gateway.recipes.recipe import Recipe
from services.gateway.sources.climb import Selected
from services.gateway.sources.ladder import Ladder
from services.gateway.sources.search import Search
from services.gateway.stages.ports import Composer, Compressor
from services.gateway.stages.stage_error import StageError
from services.gateway.steps.cost import of_cutting, of_no_summary
from services.gateway.steps.step import Step
from services.gateway.steps.timetable import Timetable
from services.prompt.fixed import frame_tokens

_Reply = TypeVar("_Reply")

_LARGE_TOKENS = 4_000

_FIGURES = tuple(name for name in quality_pb2.Quality.DESCRIPTOR.fields_by_name if name != "recommendations")
"""The quality figures, as metrics name them."""


class ContextBuilder:
    """Orchestrates the stages for one request after another; between them it remembers how long each step takes."""

    def __init__(
        self,
        ladder: Ladder,
        compressor_stage: Compressor,
        composer_stage: Composer,
        clock: Callable[[], float],
        *,
        quality: bool = True,
    ) -> None:
        """With `quality` replies carry quality figures; `clock` tells seconds, as the deadlines do."""
        self._ladder = ladder
        self._compressor = compressor_stage
        self._composer = composer_stage
        self._clock = clock
        self._quality = quality
        self._timetable = Timetable(clock)

    async def build(
        self, principal: Principal, recipe: Recipe, deadline: Deadline, *, dry_run: bool = False, keep: bool = True
    ) -> pb.BuildContextResponse:
        """The reply for a recipe, never above its budget. A dry run keeps nothing for later and asks no LLM.

        Without `keep` what the sources give is not kept for when they cannot be searched.

        A stage that is away or too slow costs quality: its stand-in's result is used and the reply says so. A step for
        which too little time is left is not even begun; where there is none for any answer, DEADLINE_EXCEEDED is
        raised. Errors that a stage reports about the request or the corpus itself are raised as they are.
        """
        run = self._begin(recipe, deadline, dry_run=dry_run)
        selected = await self._select(run, Search(principal, recipe), keep=keep and not dry_run)
        found = candidates(recipe.request, selected.passages)
        admitted, guarded = await self._admit(recipe, found)
        frames = frame_tokens((candidate.passage.trust for candidate in admitted), recipe.encoding)
        run.recipe = recipe = replace(recipe, budget=recipe.budget.with_frames(frames))
        compressed = await self._compress(run, admitted, selected.question_vector)
        run.recipe = recipe = replace(recipe, budget=recipe.budget.with_unused(compressed.token_count))
        show = partial(kept, admitted, compressed.passages, recipe.screen)
        # Many values in many texts take milliseconds: not on the loop.
        written = await on_thread(None, show) if recipe.screen.masks else show()
        composed = await self._compose(run, written)
        measures = self._measures(run)
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
        if measures:
            built.quality.CopyFrom(await self._measure(recipe, built))
        if not dry_run:
            _observe(built, recipe.resolved.variant)
        return built

    def _begin(self, recipe: Recipe, deadline: Deadline, *, dry_run: bool) -> Run:
        steps = set(Step) if self._quality else set(Step) - {Step.MEASURE}
        return Run(recipe, deadline, dry_run, self._timetable, self._clock, steps)

    async def _select(self, run: Run, search: Search, *, keep: bool) -> Selected:
        searches = run.begins(Step.SEARCH)
        # What must follow, in whatever form, has its time for itself.
        deadline = run.deadline.earlier(self._timetable.reserve(run.ahead | {Step.SEARCH}))
        with run.timed(degradation_pb2.STAGE_SELECT):
            search_by = run.time_for(Step.SEARCH) if searches else None
            selected = await self._ladder.select(search, deadline, keep=keep, search_by=search_by)
        if selected.search_seconds is not None:
            self._timetable.note(Step.SEARCH, selected.search_seconds)
        if selected.instead_seconds is not None:
            self._timetable.note_instead(Step.SEARCH, selected.instead_seconds)
        for failure in selected.failures:
            run.degrade(degradation_pb2.STAGE_SELECT, failure.reason, failure.detail, failure.cost)
        return selected

    async def _admit(self, recipe: Recipe, found: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Those that may stand in the prompt, and those that the guard keeps out."""
        work = partial(_divide, recipe.screen, found)
        if not recipe.screen.acts or all(is_scanned(candidate.passage.sensitive) for candidate in found):
            return work()
        # What nobody looked through yet takes a while: not on the loop.
        return await on_thread(None, work)

    async def _compress(self, run: Run, found: list[Candidate], question_vector: bytes) -> compressor.CompressResponse:
        if not found:
            run.ahead -= {Step.COMPRESS, Step.SUMMARY}
            return compressor.CompressResponse()
        recipe = run.recipe
        # An LLM within the time of the compressor's call: decided with it, and told of where it would have been asked.
        summarises = run.begins(Step.SUMMARY)
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
            dry_run=run.dry_run or recipe.screen.masks or not summarises,
        )
        start = self._clock()
        response, reason = await self._stage(
            run,
            Step.COMPRESS,
            lambda timeout: self._compressor.compress(request, timeout=timeout),
            lambda: plain_cut(request, recipe.encoding),
        )
        if reason:
            detail = "passages were kept whole, best first, as far as they fit"
            run.degrade(degradation_pb2.STAGE_COMPRESS, reason, detail, of_cutting(response, request.max_tokens))
            return response
        # An LLM that is late is waited for in vain, and the extract stands.
        late = not request.dry_run and response.degraded_reason == errors.DEADLINE_EXCEEDED.name
        summarised = late or response.decision.method == compression_pb2.COMPRESSION_METHOD_SUMMARY
        self._timetable.note(Step.SUMMARY if summarised else Step.COMPRESS, self._clock() - start)
        if response.degraded_reason:
            cost = of_cutting(response, request.max_tokens)
            run.degrade(degradation_pb2.STAGE_COMPRESS, response.degraded_reason, what_stood_in(response), cost)
        elif not summarises and self._lacks_summary(run, response):
            detail = "no summary was asked for; the best parts of the passages were kept"
            reason = errors.DEADLINE_EXCEEDED.name
            run.degrade(degradation_pb2.STAGE_COMPRESS, reason, detail, of_no_summary(response))
        return response

    def _lacks_summary(self, run: Run, response: compressor.CompressResponse) -> bool:
        """Whether an LLM would have been asked, had there been time: it was of late, and so little room is left."""
        asked = not run.dry_run and not run.recipe.screen.masks and self._timetable.knows(Step.SUMMARY)
        return asked and response.decision.level == compression_pb2.COMPRESSION_LEVEL_HEAVY

    async def _compose(self, run: Run, written: Sequence[Kept]) -> composer.ComposeResponse:
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
        start = self._clock()
        response, reason = await self._stage(
            run,
            Step.COMPOSE,
            lambda timeout: self._composer.compose(request, timeout=timeout),
            lambda: plain_prompt(request, recipe.encoding),
        )
        if reason:
            # The prompt is the same.
            run.degrade(degradation_pb2.STAGE_COMPOSE, reason, "the gateway wrote the messages itself", "")
        else:
            self._timetable.note(Step.COMPOSE, self._clock() - start)
        return response

    async def _stage(
        self, run: Run, step: Step, call: Callable[[float], Awaitable[_Reply]], stand_in: Callable[[], _Reply]
    ) -> tuple[_Reply, str]:
        """Runs a stage within its share of the time, or its stand-in. Returns why it was that, else nothing."""
        with run.timed(STAGES[step]):
            reason = errors.DEADLINE_EXCEEDED.name
            if run.begins(step):
                start = self._clock()
                try:
                    return await call(run.time_for(step).remaining()), ""
                except StageError as error:
                    reason = error.reason
                if reason == errors.DEADLINE_EXCEEDED.name:
                    self._timetable.note(step, self._clock() - start)
            with self._timetable.instead(step):
                # Counting tokens of long texts takes a while: not on the loop.
                return await on_thread(None, stand_in), reason

    def _measures(self, run: Run) -> bool:
        """Whether the reply gets quality figures; where the time is too short, it says so."""
        if Step.MEASURE not in run.ahead:
            return False
        if run.begins(Step.MEASURE):
            return True
        cost = f"{len(_FIGURES)} figures and the recommendations are missing"
        run.degrade(
            degradation_pb2.STAGE_MEASURE, errors.DEADLINE_EXCEEDED.name, "no quality figures were worked out", cost
        )
        return False

    async def _measure(self, recipe: Recipe, built: pb.BuildContextResponse) -> quality_pb2.Quality:
        start = self._clock()
        work = partial(measure, recipe.shown.question, built.evidence, built.dropped, built.tokens)
        # A quarter of a microsecond a token: a large context is not measured on the loop.
        quality = await on_thread(None, work) if built.tokens.total > _LARGE_TOKENS else work()
        self._timetable.note(Step.MEASURE, self._clock() - start)
        return quality


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
