"""Compress over gRPC when the input is bad, or a part of the engine breaks: within the budget, and said."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import platformdirs
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as pb
from scic.compressor.v1 import compressor_service_pb2_grpc as rpc
from scic.type.v1 import compression_pb2, retention_pb2, source_pb2
from services.chassis.server import start
from services.compressor import compress as engine
from services.compressor import raw
from services.compressor.app import build
from services.compressor.prepared import MAGIC, VERSION
from services.compressor.settings import CompressorSettings
from services.compressor.units import split_units
from services.text.tokens import encoding_for

MODELS = Path(platformdirs.user_cache_dir("scic")) / "models"
DOCS, CODE, HISTORY = source_pb2.SOURCE_KIND_DOCS, source_pb2.SOURCE_KIND_CODE, source_pb2.SOURCE_KIND_HISTORY
ENCODING = encoding_for("cl100k_base")
PROSE = "The pump starts at 5 bar. It must not run dry. Bicycles have 2 wheels. Rain fell in the north. "
BROKEN = "def f(:\n    retrun [1,\n\nclass = 3\n" * 20
MIXED = "東京タワーは1958年に完成した。مرحبا بالعالم، هذا نص. Привет, мир! 👩‍👩‍👧 и\u0301 e\u0301 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ถนนยาว " * 12


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    settings = CompressorSettings(model_dir=MODELS, port=0, metrics_port=None, drain_seconds=0, grace_seconds=1)
    async with start(build(settings), settings) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


@pytest.fixture
def compressing(channel):
    return rpc.CompressorServiceStub(channel)


def passage(text: str, kind: source_pb2.SourceKind.ValueType = DOCS, **fields: Any) -> pb.CompressiblePassage:
    return pb.CompressiblePassage(text=text, kind=kind, **fields)


def request(*passages: pb.CompressiblePassage, **fields: Any) -> pb.CompressRequest:
    defaults = {"question": "How many bar does the pump need?", "max_tokens": 40, "encoding": ENCODING.name}
    return pb.CompressRequest(passages=passages, **{**defaults, **fields})


def assert_sound(sent: pb.CompressRequest, answer: pb.CompressResponse) -> None:
    """Within the budget, as counted from what is shown; verbatim ranges in order; no pin maimed."""
    total = 0
    for given, outcome in zip(sent.passages, answer.passages, strict=True):
        last = 0
        for span in outcome.spans:
            assert last <= span.start < span.end <= len(given.text)
            last = span.end
        if outcome.spans:
            shown = outcome.text or given.text[outcome.spans[0].start : outcome.spans[-1].end]
            shown.encode()
            total += ENCODING.count(f"{shown}\n")
    assert total == answer.token_count <= sent.max_tokens
    assert not any(count.breached for count in answer.retention.pins)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request(passage(PROSE), max_tokens=0), id="budget-0"),
        pytest.param(request(passage(PROSE), max_tokens=2), id="budget-below-a-sentence"),
        pytest.param(request(passage(PROSE * 3), question="what is the of and to"), id="stop-words-only"),
        pytest.param(request(passage(PROSE * 3), question="\u200d\u0301?!"), id="question-without-words"),
        pytest.param(request(passage(" \n\t \n")), id="white-space-only"),
        pytest.param(request(passage("word " * 13_000)), id="no-sentence-ends"),
        pytest.param(request(passage("x" * 65_536)), id="one-word"),
        pytest.param(request(passage(MIXED)), id="mixed-scripts"),
        pytest.param(request(passage(MIXED, HISTORY), question="東京タワー"), id="mixed-scripts-in-turns"),
        pytest.param(request(passage("The pump\0 runs.\0\0 It must not stop. " * 20)), id="nul-bytes"),
        pytest.param(request(passage("pump\0 = 5\n" * 40, CODE)), id="nul-bytes-in-code"),
        pytest.param(request(passage(BROKEN, CODE)), id="code-that-does-not-parse"),
        pytest.param(request(passage("(" * 65_536, CODE)), id="brackets-without-end"),
        pytest.param(request(passage('{"a": [1, 2,' * 900)), id="json-that-ends-early"),
        pytest.param(request(passage("[" * 30_000 + "]" * 30_000)), id="deep-json"),
        pytest.param(request(passage(PROSE * 3, prepared=MAGIC)), id="prepared-cut"),
        pytest.param(request(passage(PROSE * 3, prepared=b"\0" * 500)), id="prepared-of-zeros"),
        pytest.param(
            request(passage(PROSE * 3, prepared=struct.pack("<4sH", MAGIC, VERSION - 1) + b"\1" * 200)),
            id="prepared-by-an-older-version",
        ),
        pytest.param(request(), id="no-passages"),
    ],
)
async def test_odd_input_gets_a_result_that_fits(compressing, sent):
    answer = await compressing.Compress(sent)
    assert_sound(sent, answer)
    assert not answer.degraded_reason


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        pytest.param(request(passage("")), "passages[0].text", id="empty-passage"),
        pytest.param(request(passage("x" * 5_000_000)), "passages[0].text", id="5-mb-in-one-passage"),
        pytest.param(request(passage(PROSE), max_tokens=-1), "max_tokens", id="budget-below-0"),
        pytest.param(request(passage(PROSE), pin_patterns=["ok", "(a"]), "pin_patterns[1]", id="pattern"),
        pytest.param(
            request(passage(PROSE), pin_patterns=["x*"]), "pin_patterns[0]", id="pattern-that-matches-nothing"
        ),
        pytest.param(request(passage(PROSE, section=1)), "passages[0].section", id="section-that-is-not-there"),
        pytest.param(
            request(passage(PROSE), sections=[pb.BudgetSection(min_tokens=30), pb.BudgetSection(min_tokens=11)]),
            "sections",
            id="floors-above-the-budget",
        ),
        pytest.param(
            request(passage(PROSE), sections=[pb.BudgetSection(min_tokens=30, max_tokens=20)]),
            "sections[0].max_tokens",
            id="cap-below-floor",
        ),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_field(compressing, sent, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await compressing.Compress(sent)
    error = errors.from_rpc_error(caught.value)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.field_violations] == [field]


def broken(*_: object) -> None:
    raise RuntimeError("out of order")


async def test_a_broken_engine_is_a_plain_cut_and_said(compressing, monkeypatch):
    monkeypatch.setattr(engine, "score_units", broken)
    sent = request(passage(PROSE * 2, score=0.2), passage("The pump needs 5 bar.", score=0.9))
    answer = await compressing.Compress(sent)
    assert_sound(sent, answer)
    assert answer.degraded_reason == errors.INTERNAL.name
    assert answer.decision.method == compression_pb2.COMPRESSION_METHOD_PLAIN_CUT
    assert [outcome.reason for outcome in answer.passages] == [
        pb.CompressedPassage.REASON_HEAD,
        pb.CompressedPassage.REASON_FITS,
    ]
    assert not answer.passages[0].text.rstrip().endswith("not")


async def test_a_source_that_cannot_be_read_is_plain_and_the_others_are_not(compressing, monkeypatch):
    split = split_units

    def without_code(text: str, kind: str) -> Any:
        return broken() if kind == "code" else split(text, kind)

    monkeypatch.setattr(raw, "split_units", without_code)
    sent = request(passage(PROSE * 2), passage("bar = 5\n\nwheels = 2\n" * 20, CODE))
    answer = await compressing.Compress(sent)
    assert_sound(sent, answer)
    assert answer.degraded_reason == errors.INTERNAL.name
    assert answer.decision.method == compression_pb2.COMPRESSION_METHOD_EXTRACTIVE
    assert "5 bar" in answer.passages[0].text
    assert answer.passages[1].reason == pb.CompressedPassage.REASON_TOO_LARGE


async def test_pins_are_counted_by_type(compressing):
    answer = await compressing.Compress(
        request(passage(PROSE), question="Must the pump not run dry?", pin_patterns=["pump|wheels"], max_tokens=16)
    )
    counts = {count.type: (count.kept, count.dropped, count.breached) for count in answer.retention.pins}
    assert answer.passages[0].text == "The pump starts at 5 bar. It must not run dry."
    assert counts[retention_pb2.PIN_TYPE_NUMBER] == (1, 1, 0)
    assert counts[retention_pb2.PIN_TYPE_NEGATION] == (1, 0, 0)
    assert counts[retention_pb2.PIN_TYPE_PATTERN] == (1, 1, 0)


async def test_health_answers_while_it_works(channel, compressing):
    health = health_pb2_grpc.HealthStub(channel)
    sent = request(*[passage(PROSE * 40) for _ in range(200)], max_tokens=20_000)
    work = asyncio.ensure_future(compressing.Compress(sent))
    answered = 0
    while not work.done():
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        answered += not work.done()
        await asyncio.sleep(0.01)
    assert_sound(sent, await work)
    assert answered > 1
