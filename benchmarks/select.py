"""`python -m benchmarks.select`: what a search costs through gRPC, how it grows, and what it adds to Weaviate's own."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import grpc.aio
import psutil
from rich.console import Console

from benchmarks.bare_weaviate import BareWeaviate
from benchmarks.report import RESULTS, Figure, at_least, at_most, show, write
from benchmarks.selector_process import Selector, selector_process
from benchmarks.servers import ServerError, weaviate_servers
from benchmarks.synthetic import SOURCE, documents, questions
from scic.selector.v1 import selector_service_pb2 as pb
from scic.selector.v1.selector_service_pb2_grpc import SelectorServiceStub
from scic.type.v1 import source_pb2
from services.selector.settings import SelectorSettings
from services.text.encoder import READING
from services.text.model import RECIPE, model_file

if TYPE_CHECKING:
    from scic.selector.v1.selector_service_pb2_grpc import SelectorServiceAsyncStub

SMALL, LARGE = 5_000, 100_000
"""Passages."""
LIMIT = 40
"""Passages that a search returns."""
_REQUESTS = 300
_UNDER_WAY = 8
"""Requests at a time where throughput is measured."""
_ROUNDS = 3
_BATCH = 50
"""Documents of one Index call: 500 passages."""
_MODEL = f"{RECIPE}-{READING}"
_OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20))
_CALLER = pb.Caller(sees_all=True)

Ask = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Timed:
    """A run of requests."""

    milliseconds: Sequence[float]
    seconds: float

    @property
    def p50(self) -> float:
        """Median, in milliseconds."""
        return median(self.milliseconds)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.milliseconds) / self.seconds


def main() -> int:
    """Measure, print, write; exit code 1 where something could not be measured. Missed goals are no errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.select", description=__doc__)
    parser.add_argument("--store", choices=["embedded", "weaviate", "both"], default="both")
    parser.add_argument("--large", type=int, default=LARGE, help="passages of the large corpus")
    parser.add_argument("--output", type=Path, default=RESULTS / "select.json", help="file for the figures")
    options = parser.parse_args()
    console = Console()
    figures: list[Figure] = []
    try:
        with tempfile.TemporaryDirectory(prefix="scic-bench-") as folder:
            model_file(Path(folder) / "models")
            if options.store != "weaviate":
                figures += asyncio.run(_embedded(Path(folder), options.large, console))
            if options.store != "embedded":
                figures += asyncio.run(_weaviate(Path(folder), console))
    except ServerError as error:
        console.print(str(error), style="red")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return 130
    write(options.output, figures)
    show("Select", figures, console)
    return 0


async def _embedded(folder: Path, large: int, console: Console) -> list[Figure]:
    settings = SelectorSettings(
        port=0, metrics_port=None, log_level="warning", data_dir=folder / "corpus", model_dir=folder / "models"
    )
    with selector_process(settings) as selector:
        async with _connected(selector) as stub:
            console.print(f"Embedded store: {SMALL:,} passages go in")
            await _index(stub, "small", SMALL)
            known = questions(_REQUESTS, seed=1)
            small = _select(stub, "small")
            await _one_by_one(small, known)
            cached, cached_cpu = await _with_cpu(selector, small, known)
            _, fresh_cpu = await _with_cpu(selector, small, questions(_REQUESTS, seed=2))
            console.print(f"Embedded store: {large:,} passages go in")
            peak = await _peak_memory(selector, _index(stub, "large", large))
            asked = _select(stub, "large")
            await _one_by_one(asked, known[:20])
            grown = await _one_by_one(asked, known)
    return [
        Figure("CPU of a Select, question known", cached_cpu, "ms", at_most(10)),
        Figure("CPU of a Select, question new", fresh_cpu, "ms", at_most(10)),
        Figure(f"p50 with {SMALL:,} passages", cached.p50, "ms"),
        Figure(f"p50 with {large:,} passages", grown.p50, "ms"),
        Figure("growth of the p50", grown.p50 / cached.p50, "x", at_most(3)),
        Figure(f"memory of the selector while {large:,} passages go in", peak / 1e6, "MB", at_most(1000)),
    ]


async def _weaviate(folder: Path, console: Console) -> list[Figure]:
    """Both over the same passages, in turns, so that a busy neighbour slows both."""
    async with AsyncExitStack() as stack:
        servers = stack.enter_context(weaviate_servers(folder / "weaviate"))
        settings = SelectorSettings(
            port=0,
            metrics_port=None,
            log_level="warning",
            store="weaviate",
            weaviate_url=servers.url,
            weaviate_grpc_port=servers.grpc_port,
            weaviate_api_key=servers.api_key,
            redis_url=servers.redis_url,
            model_dir=folder / "models",
        )
        selector = stack.enter_context(selector_process(settings))
        stub = await stack.enter_async_context(_connected(selector))
        bare = await stack.enter_async_context(BareWeaviate.connect(servers))
        console.print(f"Weaviate: {SMALL:,} passages go in, twice")
        await _index(stub, "small", SMALL)
        await bare.fill(documents(SMALL, seed=0))
        ours, known = _select(stub, "small"), questions(_REQUESTS, seed=1)
        theirs = bare.hybrid(known, LIMIT)
        singles, loads = [], []
        await _one_by_one(ours, known)
        await _one_by_one(theirs, known)
        for number in range(_ROUNDS):
            console.print(f"Weaviate: round {number + 1} of {_ROUNDS}")
            singles.append((await _one_by_one(ours, known), await _one_by_one(theirs, known)))
            loads.append((await _under_load(ours, known), await _under_load(theirs, known)))
    slowdown = median([one.p50 / other.p50 for one, other in singles])
    share = median([100 * one.rate / other.rate for one, other in loads])
    return [
        Figure("Weaviate: Select, p50", median([one.p50 for one, _ in singles]), "ms"),
        Figure("Weaviate: bare client's hybrid query, p50", median([other.p50 for _, other in singles]), "ms"),
        Figure("Weaviate: p50 by the bare client's", slowdown, "x", at_most(1.3)),
        Figure("Weaviate: throughput, share of the bare client's", share, "%", at_least(80)),
    ]


def _select(stub: "SelectorServiceAsyncStub", tenant: str) -> Ask:
    source = pb.SourceQuery(source=SOURCE, kind=source_pb2.SOURCE_KIND_DOCS, limit=LIMIT)

    async def ask(question: str) -> object:
        request = pb.SelectRequest(tenant=tenant, question=question, sources=[source], caller=_CALLER)
        response = await stub.Select(request)
        assert len(response.passages) == LIMIT, "the corpus has more than that"
        return response

    return ask


async def _index(stub: "SelectorServiceAsyncStub", tenant: str, count: int) -> None:
    supply = documents(count, seed=0)
    while batch := list(islice(supply, _BATCH)):
        await stub.Index(pb.IndexRequest(tenant=tenant, documents=batch, embedding_model=_MODEL, caller=_CALLER))


@asynccontextmanager
async def _connected(selector: Selector) -> "AsyncIterator[SelectorServiceAsyncStub]":
    async with grpc.aio.insecure_channel(selector.address, options=_OPTIONS) as channel:
        # The class of its annotation exists for type checkers only.
        yield SelectorServiceStub(channel)


async def _one_by_one(ask: Ask, asked: Sequence[str]) -> Timed:
    milliseconds = []
    start = time.perf_counter()
    for question in asked:
        begin = time.perf_counter()
        await ask(question)
        milliseconds.append(1e3 * (time.perf_counter() - begin))
    return Timed(milliseconds, time.perf_counter() - start)


async def _under_load(ask: Ask, asked: Sequence[str]) -> Timed:
    start = time.perf_counter()
    parts = await asyncio.gather(*(_one_by_one(ask, asked[first::_UNDER_WAY]) for first in range(_UNDER_WAY)))
    return Timed([each for part in parts for each in part.milliseconds], time.perf_counter() - start)


async def _with_cpu(selector: Selector, ask: Ask, asked: Sequence[str]) -> tuple[Timed, float]:
    """The run, and the selector's CPU time of a request in milliseconds."""
    before = _cpu_seconds(selector.process)
    timed = await _one_by_one(ask, asked)
    return timed, 1e3 * (_cpu_seconds(selector.process) - before) / len(asked)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _peak_memory(selector: Selector, work: Awaitable[None]) -> float:
    """The most resident bytes that the selector has while the work is done."""
    running = asyncio.ensure_future(work)
    peak = 0
    while not running.done():
        peak = max(peak, selector.process.memory_info().rss)
        await asyncio.wait([running], timeout=0.1)
    await running
    return peak


if __name__ == "__main__":
    sys.exit(main())
