"""CompressorService: wire to domain and back."""

import asyncio
from concurrent.futures import Executor

import numpy as np

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as pb
from scic.compressor.v1 import compressor_service_pb2_grpc as rpc
from scic.type.v1 import source_pb2, span_pb2
from services.chassis.interceptors import Context
from services.chassis.logs import get_logger
from services.compressor.compress import compress
from services.compressor.head_cut import head_cut
from services.compressor.passage import CompressedPassage, CompressInput, CompressOutput, Passage
from services.compressor.preparation import Preparation, RawPassage
from services.text.tokens import ENCODING_NAMES, UnknownModelError, encoding_for

_log = get_logger(__name__)

_KINDS = {
    source_pb2.SOURCE_KIND_DOCS: "docs",
    source_pb2.SOURCE_KIND_CODE: "code",
    source_pb2.SOURCE_KIND_HISTORY: "history",
}

_QUICK_PASSAGES = 32
_QUICK_CHARACTERS = 65_536


class CompressorServicer(rpc.CompressorServiceServicer):
    """Answers Prepare and Compress. Stateless."""

    def __init__(self, preparation: Preparation, executor: Executor) -> None:
        self._preparation = preparation
        self._executor = executor

    async def Prepare(  # noqa: N802 - the name of the RPC
        self, request: pb.PrepareRequest, context: Context
    ) -> pb.PrepareResponse:
        """Prepares passages."""
        passages = [
            RawPassage(" > ".join(passage.title_path), passage.text, _KINDS[passage.kind])
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
        job = _input(request)
        if _is_quick(request):
            # Two milliseconds of Python hold the interpreter's lock wherever they run: a thread would only cost more.
            output, degraded_reason = _compress(job)
        else:
            loop = asyncio.get_running_loop()
            output, degraded_reason = await loop.run_in_executor(self._executor, _compress, job)
        return pb.CompressResponse(
            passages=[_compressed(index, passage) for index, passage in enumerate(output.passages)],
            token_count=output.token_count,
            degraded_reason=degraded_reason,
        )


def _is_quick(request: pb.CompressRequest) -> bool:
    """Whether all passages are prepared and few, and small in case that their bytes turn out to be of no use."""
    passages = request.passages
    return (
        len(passages) <= _QUICK_PASSAGES
        and all(passage.prepared for passage in passages)
        and sum(len(passage.text) for passage in passages) <= _QUICK_CHARACTERS
    )


def _input(request: pb.CompressRequest) -> CompressInput:
    try:
        encoding = encoding_for(request.encoding)
    except UnknownModelError:
        valid = ", ".join(ENCODING_NAMES)
        raise errors.UNKNOWN_MODEL.error(
            f"encoding {request.encoding[:64]!r} is not known",
            metadata={"valid": valid},
            field_violations=[("encoding", f"must be one of: {valid}")],
        ) from None
    if len(request.question_vector) % 4:
        raise errors.INVALID_FIELD.error(
            "the question's vector is not a row of 32-bit floats",
            field_violations=[("question_vector", "must be little-endian 32-bit floats")],
        )
    return CompressInput(
        question=request.question,
        question_vector=np.frombuffer(request.question_vector, "<f4") if request.question_vector else None,
        passages=tuple(
            Passage(
                id=str(index),
                title=" > ".join(passage.title_path),
                text=passage.text,
                kind=_KINDS[passage.kind],
                prepared=passage.prepared or None,
                score=passage.score,
            )
            for index, passage in enumerate(request.passages)
        ),
        max_tokens=request.max_tokens,
        encoding=encoding,
        overhead_tokens=request.overhead_tokens,
        gap=request.gap or " ",
    )


def _compress(job: CompressInput) -> tuple[CompressOutput, str]:
    """The scored selection, or the plain cut and the reason why it stands in."""
    try:
        return compress(job), ""
    except Exception as error:  # noqa: BLE001 - whatever fails, the caller gets text that fits, and is told
        _log.error("scoring_failed", exc_info=error)
        return head_cut(job), errors.INTERNAL.name


def _compressed(index: int, passage: CompressedPassage) -> pb.CompressedPassage:
    return pb.CompressedPassage(
        index=index,
        spans=[span_pb2.Span(start=start, end=end) for start, end in passage.spans],
        token_count=passage.token_count,
        original_token_count=passage.original_token_count,
        raw=passage.raw,
    )
