"""The compressor over gRPC: a real service, a real encoder, bad input by field."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import platformdirs
import pytest

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.compressor.v1 import compressor_service_pb2_grpc as compressor_rpc
from scic.type.v1 import source_pb2
from services.chassis.server import start
from services.compressor.app import build as build_compressor
from services.compressor.settings import CompressorSettings
from services.text.tokens import encoding_for

MODELS = Path(platformdirs.user_cache_dir("scic")) / "models"
COMMON: dict[str, Any] = {"port": 0, "metrics_port": None, "drain_seconds": 0, "grace_seconds": 1}
DOCS = source_pb2.SOURCE_KIND_DOCS
DIMENSION = 384


@asynccontextmanager
async def serving(build: Any, settings: Any, stub: Any) -> AsyncIterator[Any]:
    async with (
        start(build(settings), settings) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield stub(channel)


@pytest.fixture
async def compressing():
    settings = CompressorSettings(model_dir=MODELS, **COMMON)
    async with serving(build_compressor, settings, compressor_rpc.CompressorServiceStub) as stub:
        yield stub


async def refused(call: Any) -> errors.ScicError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return errors.from_rpc_error(caught.value)


TEXT = "The heron stands still. It eats fish and frogs. Bicycles have two wheels. Rain fell in the north. " * 4


async def test_prepared_passages_are_compressed_to_the_budget(compressing):
    prepared = await compressing.Prepare(
        compressor.PrepareRequest(passages=[compressor.RawPassage(title_path=["Birds"], text=TEXT, kind=DOCS)])
    )
    assert len(prepared.passages[0].vector) == 4 * DIMENSION
    assert prepared.embedding_model
    passage = compressor.CompressiblePassage(
        title_path=["Birds"], text=TEXT, kind=DOCS, prepared=prepared.passages[0].prepared, score=1
    )
    compressed = await compressing.Compress(
        compressor.CompressRequest(
            question="What does the heron eat?",
            passages=[passage],
            max_tokens=40,
            encoding="o200k_base",
            overhead_tokens=4,
            gap=" … ",
        )
    )
    (outcome,) = compressed.passages
    assert not outcome.raw
    assert not compressed.degraded_reason
    pieces = [TEXT[span.start : span.end] for span in outcome.spans]
    kept = " … ".join(pieces)
    assert any("eats fish" in piece for piece in pieces)
    assert encoding_for("o200k_base").count(f"Birds\n{kept}\n") + 4 <= compressed.token_count <= 40


@pytest.mark.parametrize("prepared", [b"", b"damaged", b"SCPP\x63\x00" + b"\0" * 60], ids=["none", "damaged", "other"])
async def test_without_usable_prepared_bytes_the_text_is_taken_raw(compressing, prepared):
    passage = compressor.CompressiblePassage(text=TEXT, kind=DOCS, prepared=prepared)
    compressed = await compressing.Compress(
        compressor.CompressRequest(
            question="What eats fish?", passages=[passage], max_tokens=30, encoding="cl100k_base"
        )
    )
    assert compressed.passages[0].raw
    assert 0 < compressed.token_count <= 30


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"encoding": "p50k"}, "encoding", id="encoding"),
        pytest.param({"question": ""}, "question", id="question"),
        pytest.param({"max_tokens": -1}, "max_tokens", id="budget"),
        pytest.param({"question_vector": b"abc"}, "question_vector", id="vector"),
        pytest.param({"passages": [compressor.CompressiblePassage(text="x")]}, "passages[0].kind", id="kind"),
    ],
)
async def test_a_bad_compress_request_is_refused_by_field(compressing, fields, field):
    request = compressor.CompressRequest(**{"question": "Why?", "max_tokens": 10, "encoding": "cl100k_base", **fields})
    error = await refused(compressing.Compress(request))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert error.field_violations[0].field == field
