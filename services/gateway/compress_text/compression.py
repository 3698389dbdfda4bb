"""CompressText: one text that came with the request, shortened to a size that holds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import chain
from typing import Final

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import compression_pb2, degradation_pb2
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.chassis.work import on_thread
from services.gateway.building.decision import Decision, level, sentence, what_stood_in, write_costs
from services.gateway.building.fallback import plain_cut
from services.gateway.building.prices import token_price
from services.gateway.compress_text.job import Shortened, TextJob, in_chunks, measure, show
from services.gateway.guard.guard import Guard
from services.gateway.profiles.profile import Profile
from services.gateway.recipes.pin_patterns import MOST_PATTERNS
from services.gateway.recipes.recipe import encoding_of
from services.gateway.stages.ports import Compressor
from services.gateway.stages.stage_error import StageError
from services.gateway.steps.cost import of_cutting, of_words_alone
from services.text.tokens import Encoding

_PREPARE_PASSAGES: Final = 32
"""Passages in one Prepare call."""
_PREPARE_SHARE: Final = 0.6
"""Part of the time still left that reading the text for its meaning may take."""
_PREPARED_A_SECOND: Final = 2_000
"""Tokens whose meaning one encoder reads in a second, when it is not alone on its processor."""
_COMPRESS_SHARE: Final = 0.8
_ENOUGH_ASKS: Final = 3
_FULL: Final = 0.95
"""Share of the size from which a result is not asked for again: titles and seams leave a little unused."""

_Ask = Callable[[int], Awaitable[compressor.CompressResponse]]


class TextCompression:
    """Compresses one text after another; holds no state between them."""

    def __init__(
        self,
        compressor_stage: Compressor,
        profile: Profile,
        guard: Guard,
        executor: Executor,
        clock: Callable[[], float],
    ) -> None:
        """`executor` is for what holds the loop up: cutting, counting and looking for personal data."""
        self._compressor = compressor_stage
        self._guard = guard
        self._profile = profile
        self._executor = executor
        self._clock = clock

    async def compress(self, request: pb.CompressTextRequest, deadline: Deadline) -> pb.CompressTextResponse:
        """The shortened text, never above its size. Raises ScicError where the request cannot be answered.

        A compressor that is away or too slow costs quality: its stand-in's result is used and the reply says so.
        """
        start = self._clock()
        model = request.model or self._profile.model
        job = await self._read(request, encoding_of(model), deadline)
        await self._spare_llm(job)
        price = token_price(model)
        degradations: list[degradation_pb2.Degradation] = []
        prepared = await self._prepare(job, deadline, degradations)
        try:
            result = await self._shorten(job, self._ask(job, price, prepared, deadline))
            if reason := result.response.degraded_reason:
                cost = of_cutting(result.response, job.size)
                degradations.append(_degradation(reason, what_stood_in(result.response), cost))
        except StageError as error:
            result, job = await self._cut(job, price)
            cost = of_cutting(result.response, job.size)
            detail = "passages were kept whole, in order, as far as they fit"
            degradations.append(_degradation(error.reason, detail, cost))
        decision = _decision(job, result, price)
        decision.duration.FromNanoseconds(int((self._clock() - start) * 1e9))
        return pb.CompressTextResponse(
            text=result.text,
            spans=result.spans,
            decision=decision,
            retention=result.response.retention,
            degradations=degradations,
            model=model,
            encoding=job.encoding.name,
        )

    async def _read(self, request: pb.CompressTextRequest, encoding: Encoding, deadline: Deadline) -> TextJob:
        if len(self._patterns(request)) > MOST_PATTERNS:
            description = f"must be at most {MOST_PATTERNS - len(self._profile.pin_patterns)} beside the profile's own"
            raise errors.INVALID_FIELD.error(
                f"pin_patterns {description}", field_violations=[("pin_patterns", description)]
            )
        work = on_thread(self._executor, measure, request, encoding, self._profile.gap)
        try:
            return await asyncio.wait_for(work, deadline.remaining())
        except TimeoutError:
            raise errors.DEADLINE_EXCEEDED.error("the time ran out while the text was cut into passages") from None

    async def _spare_llm(self, job: TextJob) -> None:
        """Forbids a summary where there might be one and the text holds what no LLM may see."""
        request = job.request
        if request.dry_run or level(job.tokens, job.size) != compression_pb2.COMPRESSION_LEVEL_HEAVY:
            return
        look = partial(self._guard.holds, self._profile.guard, request.question, request.text)
        request.dry_run = await on_thread(self._executor, look)

    async def _prepare(
        self, job: TextJob, deadline: Deadline, degradations: list[degradation_pb2.Degradation]
    ) -> list[bytes] | None:
        """The passages read for their meaning, once for all that follows; None: words alone are to decide."""
        if job.request.words_only or job.fits:
            return None
        seconds = deadline.share(_PREPARE_SHARE).remaining()
        reason = errors.DEADLINE_EXCEEDED.name
        if job.tokens <= seconds * _PREPARED_A_SECOND:
            passages = [
                compressor.RawPassage(title_path=p.title_path, text=p.text, kind=p.kind)
                for p in (candidate.passage for candidate in job.passages)
            ]
            batches = [passages[n : n + _PREPARE_PASSAGES] for n in range(0, len(passages), _PREPARE_PASSAGES)]
            calls = [
                self._compressor.prepare(compressor.PrepareRequest(passages=batch), timeout=seconds)
                for batch in batches
            ]
            try:
                responses = await asyncio.gather(*calls)
            except StageError as error:
                reason = error.reason
            else:
                return [p.prepared for p in chain.from_iterable(response.passages for response in responses)]
        detail = "the text was not read for its meaning in the time there was; words alone decided"
        degradations.append(_degradation(reason, detail, of_words_alone(len(job.passages), job.tokens)))
        return None

    def _ask(
        self,
        job: TextJob,
        price: compressor.TokenPrice | None,
        prepared: Sequence[bytes] | None,
        deadline: Deadline,
    ) -> _Ask:
        request = self._request(job, price)
        # The question is read for its meaning where the passages were.
        request.encode = prepared is not None
        for passage, signals in zip(request.passages, prepared or (), strict=False):
            passage.prepared = signals

        async def ask(bound: int) -> compressor.CompressResponse:
            if job.request.WhichOneof("size") == "ratio":
                # The whole is allowed, if the prompt cache makes it the cheaper one. 0 would mean no target.
                request.max_tokens, request.target_tokens = job.whole, max(1, bound)
            else:
                request.max_tokens = bound
            response = await self._compressor.compress(request, timeout=deadline.share(_COMPRESS_SHARE).remaining())
            # Whether the prompt cache is cheaper is judged by the size that was asked for, not by later guesses at it.
            request.prompt_cached = False
            return response

        return ask

    async def _shorten(self, job: TextJob, ask: _Ask) -> Shortened:
        """Asks until the text as it is shown fits, and fills what titles and seams left unused.

        Compress counts a title with each passage and every seam; shown is less of the one and at times a token more of
        the other. So the bound is a guess, and the count of the text itself decides.
        """
        best: Shortened | None = None
        bound, asks = job.bound, 0
        while True:
            try:
                response = await ask(bound)
            except StageError:
                if best is not None:
                    return best
                raise
            asks += 1
            result = await on_thread(self._executor, show, job, response)
            left = job.size - result.token_count
            if left >= 0 or job.is_whole(response):
                if best is None or result.token_count > best.token_count:
                    best = result
                if asks >= _ENOUGH_ASKS or not _worth_asking(job, result):
                    return best
                bound = min(bound + left, max(job.whole - 1, 0))
            elif best is not None:
                return best
            elif bound == 0:
                raise StageError("compressor", errors.INTERNAL.name)
            else:
                bound = max(0, bound + asks * left)

    async def _cut(self, job: TextJob, price: compressor.TokenPrice | None) -> tuple[Shortened, TextJob]:
        """Whole passages, code in chunks too."""
        chunked = await on_thread(self._executor, in_chunks, job)
        request = self._request(chunked, price)

        async def ask(bound: int) -> compressor.CompressResponse:
            request.max_tokens = bound
            return await on_thread(self._executor, plain_cut, request, job.encoding)

        return await self._shorten(chunked, ask), chunked

    def _request(self, job: TextJob, price: compressor.TokenPrice | None) -> compressor.CompressRequest:
        return compressor.CompressRequest(
            question=job.request.question,
            passages=[passage.compressible(section=0) for passage in job.passages],
            encoding=job.encoding.name,
            overhead_tokens=job.overhead,
            gap=self._profile.gap,
            pin_patterns=self._patterns(job.request),
            price=price,
            prompt_cached=job.request.prompt_cached,
            dry_run=job.request.dry_run,
        )

    def _patterns(self, request: pb.CompressTextRequest) -> list[str]:
        """The request's own first: a complaint about one of them names its index."""
        return list(dict.fromkeys((*request.pin_patterns, *self._profile.pin_patterns)))


def _worth_asking(job: TextJob, result: Shortened) -> bool:
    """Whether more may fit. A summary costs money each time."""
    summary = result.response.decision.method == compression_pb2.COMPRESSION_METHOD_SUMMARY
    return not summary and not job.is_whole(result.response) and result.token_count < _FULL * job.size


def _decision(job: TextJob, result: Shortened, price: compressor.TokenPrice | None) -> Decision:
    """The compressor's decision with the figures of the text itself, where it had those of passages and titles."""
    decision = Decision()
    decision.CopyFrom(result.response.decision)
    decision.original_token_count = job.tokens
    decision.max_tokens = max(job.size, result.token_count)
    decision.token_count = result.token_count
    if decision.reason == Decision.REASON_OVER_BUDGET:
        decision.level = level(job.tokens, job.size)
    write_costs(decision, price)
    decision.detail = sentence(decision)
    return decision


def _degradation(reason: str, detail: str, cost: str) -> degradation_pb2.Degradation:
    metrics.DEGRADATIONS.labels("compress", reason).inc()
    return degradation_pb2.Degradation(stage=degradation_pb2.STAGE_COMPRESS, reason=reason, detail=detail, cost=cost)
