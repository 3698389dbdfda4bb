"""`python -m benchmarks.compose`: what a prompt costs through gRPC, with 20 passages and 2,000 tokens of evidence."""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import median, quantiles

import grpc.aio
from rich.console import Console

from benchmarks.corpus import cut, library_documents
from benchmarks.report import RESULTS, Figure, at_most, show, write
from scic.composer.v1 import composer_service_pb2 as pb
from scic.mesh.ports import LOOPBACK, free_ports, is_free
from scic.type.v1 import message_pb2, prompt_pb2, trust_pb2
from services.prompt.defuse import defuse_evidence
from services.text.tokens import encoding_for

_ENCODING = "o200k_base"
_PASSAGES, _TOKENS = 20, 2_000
_REQUESTS, _WARM_UP = 500, 50
_CLEAN_BYTES = 10_240
_START_SECONDS = 60.0
_METHOD = "/scic.composer.v1.ComposerService/Compose"

Call = Callable[[bytes], Awaitable[pb.ComposeResponse]]


def main() -> int:
    """Measure, print, write. Missed goals are no errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compose", description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS / "compose.json", help="file for the figures")
    options = parser.parse_args()
    console = Console()
    texts = list(_texts())
    requests = [_request(texts, Random(number)) for number in range(_REQUESTS)]
    with _composer() as address:
        milliseconds = asyncio.run(_measure(address, requests))
    figures = [
        Figure(f"{_PASSAGES} passages, {_TOKENS:,} tokens: p50", median(milliseconds), "ms", at_most(3)),
        Figure("the same: p95", quantiles(milliseconds, n=20)[-1], "ms", at_most(6)),
        Figure(f"defusing {_CLEAN_BYTES // 1024} KB of clean code", _defusing(texts), "ms", at_most(0.3)),
    ]
    write(options.output, figures)
    show("Compose", figures, console)
    return 0


def _texts() -> Iterator[str]:
    """Pieces of the running interpreter's library, cut as ingestion cuts them, to an equal share of the tokens."""
    encoding = encoding_for(_ENCODING).tiktoken
    share = _TOKENS // _PASSAGES
    for document in cut(library_documents(), passages=_REQUESTS):
        for chunk in document.passages:
            tokens = encoding.encode_ordinary(chunk.text)
            if len(tokens) >= share:
                yield encoding.decode(tokens[:share])


def _request(texts: Sequence[str], random: Random) -> bytes:
    evidence = [
        pb.EvidenceInput(
            title_path=["library", f"module {number}"],
            source=random.choice(["docs", "code"]),
            text=random.choice(texts),
            trust=random.choice([trust_pb2.TRUST_LABEL_TRUSTED, trust_pb2.TRUST_LABEL_UNTRUSTED]),
            document_id=f"d{number}",
        )
        for number in range(_PASSAGES)
    ]
    return pb.ComposeRequest(
        instructions="Answer from the numbered passages, and cite them.",
        conversation=[message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text="Hello, I have a question.")],
        evidence=evidence,
        question=f"What does module {random.randint(1, 1_000)} do?",
        max_tokens=8_000,
        encoding=_ENCODING,
        order=prompt_pb2.EVIDENCE_ORDER_BY_SOURCE,
    ).SerializeToString()


@contextmanager
def _composer() -> Iterator[str]:
    """A composer in a process of its own, as it is run: its address. Raises TimeoutError where it does not start."""
    port = next(free_ports(Random()))
    environment = {
        **os.environ,
        "SCIC_COMPOSER_PORT": str(port),
        "SCIC_COMPOSER_METRICS_PORT": "0",
        "SCIC_COMPOSER_LOG_LEVEL": "warning",
        "SCIC_COMPOSER_DRAIN_SECONDS": "0",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.composer"], env=environment)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while is_free(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the composer did not start within {_START_SECONDS:g} s")
            time.sleep(0.05)
        yield f"{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait()


async def _measure(address: str, requests: Sequence[bytes]) -> list[float]:
    """Milliseconds of each request, one at a time. Requests are made before the clock starts."""
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), _START_SECONDS)
        call: Call = channel.unary_unary(_METHOD, lambda data: data, pb.ComposeResponse.FromString)
        for request in requests[:_WARM_UP]:
            await call(request)
        milliseconds = []
        for request in requests:
            begin = time.perf_counter()
            response = await call(request)
            milliseconds.append(1e3 * (time.perf_counter() - begin))
            assert len(response.evidence) == _PASSAGES, "all evidence fits"
        return milliseconds


def _defusing(texts: Sequence[str]) -> float:
    """Milliseconds, the least of many rounds: others at work only add to it."""
    supply = cycle(texts)
    text = ""
    while len(text) < _CLEAN_BYTES:
        text += next(piece for piece in supply if piece.isascii() and not defuse_evidence(piece).counts) + "\n"
    text = text[:_CLEAN_BYTES]
    rounds = []
    for _ in range(200):
        begin = time.perf_counter()
        defuse_evidence(text)
        rounds.append(1e3 * (time.perf_counter() - begin))
    return min(rounds)


if __name__ == "__main__":
    sys.exit(main())
