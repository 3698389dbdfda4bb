"""CompressorService: reads the request, compresses where it does not hold the loop up, answers."""

import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as pb
from scic.compressor.v1 import compressor_service_pb2_grpc as rpc
from scic.type.v1 import compression_pb2
from services.chassis import metrics
from services.chassis.deadline import DeadlinePolicy
from services.chassis.interceptors import Context
from services.chassis.logs import get_logger
from services.chassis.work import on_thread
from services.compressor.compress import compress
from services.compressor.head_cut import head_cut
from services.compressor.passage import CompressInput, CompressOutput
from services.compressor.preparation import Preparation, RawPassage
from services.compressor.sizing import read_signals
from services.compressor.summary.ports import Summariser
from services.compressor.summary.summarise import summarise
from services.compressor.wire import KINDS, read_request, write_response

_log = get_logger(__name__)

_QUICK_PASSAGES = 32
_QUICK_CHARACTERS = 24_576
_SUMMARY_SHARE = 0.8
"""Part of the time left that summaries may take: the answer has a way to go."""


@dataclass(frozen=True, slots=True)
class _Result:
    output: CompressOutput
    plain_cut: bool
    seconds: float


class CompressorServicer(rpc.CompressorServiceServicer):
    """Answers Prepare and Compress. Stateless."""

    def __init__(
        self, preparation: Preparation, executor: Executor, summariser: Summariser | None, summary_seconds: float
    ) -> None:
        self._preparation = preparation
        self._executor = executor
        self._summariser = summariser
        self._deadlines = DeadlinePolicy(summary_seconds, summary_seconds)

    async def Prepare(  # noqa: N802 - the name of the RPC
        self, request: pb.PrepareRequest, context: Context
    ) -> pb.PrepareResponse:
        """Prepares passages."""
        passages = [
            RawPassage(" > ".join(passage.title_path), passage.text, KINDS[passage.kind])
            for passage in request.passages
        ]
        return pb.PrepareResponse(
            passages=[
                pb.PreparedPassage(prepared=prepared.signals, vector=prepared.vector)
                for prepared in await self._preparation.prepare(passages)
            ],
            embedding_model=self._preparation.model_id,
        )

    async def Compress(  # noqa: N802 - the name of the RPC
        self, request: pb.CompressRequest, context: Context
    ) -> pb.CompressResponse:
        """Shortens passages."""
        job = read_request(request)
        is_quick = _is_quick(job)
        if request.encode:
            job = await self._encode(job)
        if is_quick:
            # Two milliseconds of Python hold the interpreter's lock wherever they run: a thread would only cost more.
            result = _compress(job)
        else:
            result = await on_thread(self._executor, _compress, job)
        degraded_reason = errors.INTERNAL.name if result.plain_cut or result.output.uncut else ""
        if self._summariser and not request.dry_run and not result.plain_cut:
            result, reason = await self._summarise(job, result, self._summariser, context)
            degraded_reason = degraded_reason or reason
        response = write_response(
            result.output, seconds=result.seconds, plain_cut=result.plain_cut, degraded_reason=degraded_reason
        )
        _observe(response)
        return response

    async def _summarise(
        self, job: CompressInput, result: _Result, summariser: Summariser, context: Context
    ) -> tuple[_Result, str]:
        begin = time.perf_counter()
        deadline = self._deadlines.of(context).share(_SUMMARY_SHARE)
        output, reason = await summarise(job, result.output, summariser, deadline.remaining())
        return _Result(output, plain_cut=False, seconds=result.seconds + time.perf_counter() - begin), reason

    async def _encode(self, job: CompressInput) -> CompressInput:
        """The same with the vectors that it lacks."""
        raw = [index for index, p in enumerate(job.passages) if read_signals(p) is None and p.text.strip()]
        wanted = [RawPassage(p.title, p.text, p.kind) for p in (job.passages[index] for index in raw)]
        vector = job.question_vector
        if vector is None:
            vector = await self._preparation.encode(job.question)
        passages = list(job.passages)
        for index, prepared in zip(raw, await self._preparation.prepare(wanted), strict=True):
            passages[index] = replace(passages[index], prepared=prepared.signals)
        return replace(job, passages=tuple(passages), question_vector=vector)


def _is_quick(job: CompressInput) -> bool:
    """Whether all passages came prepared, few and small, whatever their bytes turn out to be worth."""
    passages = job.passages
    return (
        len(passages) <= _QUICK_PASSAGES
        and not job.pin_patterns
        and all(passage.prepared for passage in passages)
        and sum(len(passage.text) for passage in passages) <= _QUICK_CHARACTERS
    )


def _observe(response: pb.CompressResponse) -> None:
    decision = response.decision
    level = compression_pb2.CompressionLevel.Name(decision.level).removeprefix("COMPRESSION_LEVEL_").lower()
    method = compression_pb2.CompressionMethod.Name(decision.method).removeprefix("COMPRESSION_METHOD_").lower()
    metrics.COMPRESSIONS.labels(level, method).inc()
    metrics.COMPRESSED_TOKENS.labels("before").inc(decision.original_token_count)
    metrics.COMPRESSED_TOKENS.labels("after").inc(decision.token_count)
    fallbacks = sum(passage.reason == pb.CompressedPassage.REASON_CONTRACT for passage in response.passages)
    metrics.CONTRACT_FALLBACKS.inc(fallbacks)


def _compress(job: CompressInput) -> _Result:
    """The scored selection, or the plain cut."""
    begin = time.perf_counter()
    try:
        output, plain_cut = compress(job), False
    except Exception as error:  # noqa: BLE001 - whatever fails, the caller gets text that fits, and is told
        _log.error("scoring_failed", exc_info=error)
        output, plain_cut = head_cut(job), True
    return _Result(output, plain_cut, time.perf_counter() - begin)
