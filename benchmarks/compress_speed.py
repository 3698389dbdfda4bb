"""`python -m benchmarks.compress_speed`: what a compression costs through gRPC, and how that grows."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from statistics import mean, median, quantiles

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console

from benchmarks.compressor_process import Compressor, compressor_process
from benchmarks.corpus import library_documents
from benchmarks.qa import read_records
from benchmarks.report import RESULTS, Figure, at_least, at_most, below, show, write
from scic.compressor.v1 import compressor_service_pb2 as pb
from scic.compressor.v1.compressor_service_pb2_grpc import CompressorServiceStub
from scic.type.v1 import source_pb2
from services.compressor.prepared import unpack
from services.gateway.chunking import SourceDocument, chunk, format_of
from services.text.model import model_file
from services.text.tokens import encoding_for

SMALL, RAW, LARGE = 2_900, 10_000, 48_000
"""Tokens of a request."""
_GROWTH_FROM = 3_000
_MOST_PASSAGES = 512
_ENCODING = "o200k_base"
_KEPT = 0.5
_REQUESTS = 200
_FEW_REQUESTS = 40
_UNDER_WAY = 6
"""Requests at a time where throughput is measured."""
_SECONDS = 8.0
_WARM_UP = 20
_ROUNDS = 10
_METHOD = "/scic.compressor.v1.CompressorService/Compress"
_OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20))

Call = Callable[[bytes], Awaitable[pb.CompressResponse]]


@dataclass(frozen=True, slots=True)
class Text:
    """A passage and a question that it may answer."""

    passage: pb.RawPassage
    question: str
    token_count: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A text as ingestion leaves it."""

    text: Text
    prepared: bytes


def main() -> int:
    """Measure, print, write. Missed goals are no errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compress_speed", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="questions with passages (see qa.py); default: Python's own docstrings"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "compress_speed.json", help="file for the figures")
    options = parser.parse_args()
    console = Console()
    texts = list(islice(_records(options.data) if options.data else _library(), 2 * _MOST_PASSAGES))
    with tempfile.TemporaryDirectory(prefix="scic-bench-") as folder:
        model_file(Path(folder))
        try:
            with compressor_process(Path(folder)) as compressor:
                figures = asyncio.run(_measure(compressor, texts, console))
        except KeyboardInterrupt:
            console.print("Stopped; nothing is left running.")
            return 130
    write(options.output, figures)
    show("Compress", figures, console)
    return 0


def _library() -> Iterator[Text]:
    """Docstrings of the running interpreter's library, cut as ingestion cuts them."""
    encoding = encoding_for(_ENCODING)
    for document in library_documents():
        if format_of(document.content_type).kind != "docs":
            continue
        source = SourceDocument(document.document_id, document.title, document.content_type, document.content)
        for piece in chunk(source):
            passage = pb.RawPassage(title_path=piece.title_path, text=piece.text, kind=source_pb2.SOURCE_KIND_DOCS)
            yield Text(passage, f"What does {piece.title_path[-1]} do?", encoding.count(piece.text))


def _records(path: Path) -> Iterator[Text]:
    encoding = encoding_for(_ENCODING)
    for record in read_records(path):
        for document in record.documents:
            passage = pb.RawPassage(title_path=[document.title], text=document.text, kind=source_pb2.SOURCE_KIND_DOCS)
            yield Text(passage, record.question, encoding.count(document.text))


async def _measure(compressor: Compressor, texts: Sequence[Text], console: Console) -> list[Figure]:
    async with grpc.aio.insecure_channel(compressor.address, options=_OPTIONS) as channel:
        await asyncio.wait_for(channel.channel_ready(), 30)
        # Requests are made before the clock starts, so that the client's own work is not measured.
        call: Call = channel.unary_unary(_METHOD, lambda data: data, pb.CompressResponse.FromString)
        console.print(f"{len(texts):,} passages are prepared")
        ready, vectors = await _prepare(channel, texts)
        small = _requests(ready, vectors, SMALL, _REQUESTS)
        await _one_by_one(call, small[:_WARM_UP])
        console.print("One request at a time")
        prepared = await _one_by_one(call, small)
        raw_small = await _one_by_one(call, _requests(ready, None, SMALL, _REQUESTS))
        raw = await _one_by_one(call, _requests(ready, None, RAW, _FEW_REQUESTS))
        starts = _requests(ready, vectors, _GROWTH_FROM, _REQUESTS)
        large = _requests(ready, vectors, LARGE, _FEW_REQUESTS)
        before: list[float] = []
        grown: list[float] = []
        # In turns, so that a busy neighbour slows both.
        for first in range(_ROUNDS):
            before += await _one_by_one(call, starts[first::_ROUNDS])
            grown += await _one_by_one(call, large[first::_ROUNDS])
        console.print(f"{_UNDER_WAY} requests at a time")
        cpu = compressor.cpu_seconds()
        answers = await _answers(call, small, _SECONDS)
        cpu = compressor.cpu_seconds() - cpu
        console.print(f"Health beside requests of {LARGE:,} tokens")
        health = await _slowest_health(channel, call, _requests(ready, None, LARGE, 8))
    sizes = [len(one.prepared) / units for one in ready if (units := unpack(one.prepared).unit_count)]
    return [
        Figure(f"prepared, {SMALL:,} tokens: p50", median(prepared), "ms", at_most(5)),
        Figure(f"prepared, {SMALL:,} tokens: p95", _p95(prepared), "ms", at_most(10)),
        Figure(f"raw, {SMALL:,} tokens: p95", _p95(raw_small), "ms", at_most(50)),
        Figure(f"raw, {RAW:,} tokens: p50", median(raw), "ms", at_most(50)),
        Figure(f"prepared, {LARGE:,} tokens: p50", median(grown), "ms"),
        Figure(f"growth from {_GROWTH_FROM:,} to {LARGE:,} tokens", median(grown) / median(before), "x", at_most(20)),
        Figure(f"requests a second, {SMALL:,} tokens prepared", answers / _SECONDS, "1/s", at_least(150)),
        Figure("CPU of such a request", 1e3 * cpu / answers, "ms"),
        Figure("prepared bytes a unit", mean(sizes), "B", at_most(350)),
        Figure(f"health beside {LARGE:,} raw tokens: slowest", health, "ms", below(1000)),
    ]


async def _prepare(channel: grpc.aio.Channel, texts: Sequence[Text]) -> tuple[list[Ready], dict[str, bytes]]:
    """The texts, prepared, and the vectors of their questions, which are prepared as if they were passages."""
    stub = CompressorServiceStub(channel)
    questions = list(dict.fromkeys(text.question for text in texts))
    asked = [pb.RawPassage(text=question, kind=source_pb2.SOURCE_KIND_DOCS) for question in questions]
    found: list[pb.PreparedPassage] = []
    passages = [*(text.passage for text in texts), *asked]
    for first in range(0, len(passages), 64):
        response = await stub.Prepare(pb.PrepareRequest(passages=passages[first : first + 64]))
        found += response.passages
    ready = [Ready(text, one.prepared) for text, one in zip(texts, found, strict=False)]
    return ready, dict(zip(questions, (one.vector for one in found[len(texts) :]), strict=True))


def _requests(ready: Sequence[Ready], vectors: dict[str, bytes] | None, token_count: int, number: int) -> list[bytes]:
    """Serialised requests of that many tokens, from different passages as far as they last; raw without vectors."""
    supply = cycle(ready)
    requests = []
    for _ in range(number):
        request = pb.CompressRequest(encoding=_ENCODING)
        total = 0
        for index in count():
            one = next(supply)
            if index == 0:
                request.question = one.text.question
            request.passages.add(
                title_path=one.text.passage.title_path,
                text=one.text.passage.text,
                kind=one.text.passage.kind,
                prepared=one.prepared if vectors else b"",
                score=1 / (1 + index),
            )
            total += one.text.token_count
            if total >= token_count or index == _MOST_PASSAGES - 1:
                break
        request.max_tokens = int(total * _KEPT)
        if vectors:
            request.question_vector = vectors[request.question]
        requests.append(request.SerializeToString())
    return requests


async def _one_by_one(call: Call, requests: Sequence[bytes]) -> list[float]:
    """Milliseconds of each."""
    milliseconds = []
    for request in requests:
        begin = time.perf_counter()
        response = await call(request)
        milliseconds.append(1e3 * (time.perf_counter() - begin))
        assert 0 < response.token_count < response.decision.original_token_count, "something was left out"
    return milliseconds


async def _answers(call: Call, requests: Sequence[bytes], seconds: float) -> int:
    """Answers within that time."""
    end = time.perf_counter() + seconds
    supply = cycle(requests)

    async def work() -> int:
        answers = 0
        while time.perf_counter() < end:
            await call(next(supply))
            answers += 1
        return answers

    return sum(await asyncio.gather(*(work() for _ in range(_UNDER_WAY))))


async def _slowest_health(channel: grpc.aio.Channel, call: Call, requests: Sequence[bytes]) -> float:
    """Milliseconds of the slowest answer of health while requests are worked on, two at a time."""
    stub = health_pb2_grpc.HealthStub(channel)
    halves = (_one_by_one(call, requests[first::2]) for first in range(2))
    working = asyncio.gather(*halves)
    slowest = 0.0
    while not working.done():
        begin = time.perf_counter()
        await stub.Check(health_pb2.HealthCheckRequest())
        slowest = max(slowest, 1e3 * (time.perf_counter() - begin))
        await asyncio.sleep(0.005)
    await working
    return slowest


def _p95(milliseconds: Sequence[float]) -> float:
    return quantiles(milliseconds, n=20)[-1]


if __name__ == "__main__":
    sys.exit(main())
