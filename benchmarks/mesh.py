"""`python -m benchmarks.mesh`: the laptop mesh beside its ceilings, in one run; README.md has the method."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks import figures
from benchmarks.bare_chain import Hop, bare_chain
from benchmarks.bare_encoder import bare_encoder_rate, encode_inputs
from benchmarks.corpus import CorpusError, CutDocument, cut, jsonl_documents, library_documents
from benchmarks.counters import sent_and_received, total
from benchmarks.figures import Loaded, Round
from benchmarks.ghz import Load, LoadClient, LoadError, find_ghz
from benchmarks.ingestion import IngestionError, ingest, ingest_and_ask
from benchmarks.laptop import STAGES, Laptop, LaptopError, laptop_mesh
from benchmarks.questions import Questions, questions_about
from benchmarks.report import RESULTS, Figure, at_most, show, write
from benchmarks.usage import cpu_seconds, resident_megabytes
from scic.client import Client
from scic.client.request import context_request
from scic.gateway.v1.context_service_pb2 import BuildContextRequest, BuildContextResponse
from services.text.model import model_file

PASSAGES = 5_000
"""Size of the corpus."""
MEASURED_SHARE = 0.2
"""Part of the corpus whose ingestion is timed, the last one, since then there is a corpus to be asked about."""
MAX_TOKENS = 2_000
"""Budget of every context."""
CONCURRENCIES = (8, 16)
ROUNDS = 2
OFFERED_RATE = 50
OFFERED_CONCURRENCY = 64
"""Workers that wait to send at the offered rate: so many that none is late because an answer is."""
CACHED_QUESTIONS = 64
CACHED_CONCURRENCIES = (16, 32)
WARM_UP = 64
_FASTEST = 1_000
"""Cold requests a second that no two cores reach: so many questions are laid out for a run."""


class InvalidRunError(Exception):
    """What was measured is not what was meant; the message says why."""


def main() -> int:
    """Measure, print, write; exit code 1 where something could not be measured. Missed goals are no errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mesh", description=__doc__)
    parser.add_argument("--corpus", type=Path, help='lines {"_id", "title", "text"}; default: the standard library')
    parser.add_argument("--passages", type=int, default=PASSAGES, help="size of the corpus")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run of the load client")
    parser.add_argument("--output", type=Path, default=RESULTS / "mesh.json", help="file for the figures")
    options = parser.parse_args()
    # As Ctrl-C does it: the mesh would outlive us otherwise, since it runs detached.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    try:
        ghz = find_ghz()
        documents = jsonl_documents(options.corpus) if options.corpus else library_documents()
        corpus = cut(documents, passages=options.passages)
        with tempfile.TemporaryDirectory(prefix="scic-bench-") as folder, laptop_mesh(Path(folder) / "mesh") as mesh:
            load = LoadClient(ghz, mesh.edge, mesh.api_key, Path(folder))
            measured = Bench(mesh, load, questions_about(corpus), options.seconds, console).run(corpus)
    except (CorpusError, LaptopError, LoadError, IngestionError, InvalidRunError) as error:
        console.print(str(error), style="red")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return 130
    write(options.output, measured)
    show("The mesh", measured, console)
    return 0


class Bench:
    """One run of everything, on a mesh that is still empty."""

    def __init__(self, mesh: Laptop, load: LoadClient, questions: Questions, seconds: float, console: Console) -> None:
        self._mesh = mesh
        self._load = load
        self._questions = questions
        self._seconds = seconds
        self._console = console

    def run(self, corpus: Sequence[CutDocument]) -> list[Figure]:
        """Everything, in the order in which the figures are printed last."""
        ingestion = self._ingest(corpus)
        reply = asyncio.run(self._warm_up())
        gateways = self._mesh.of("gateway")
        degraded_before = total(gateways, "context_degradations_total")
        hits_before = total(gateways, "context_cache_hits_total")
        rounds = self._rounds(reply)
        self._console.print(f"Offering {OFFERED_RATE} cold requests a second")
        offered = self._cold(OFFERED_CONCURRENCY, rate=OFFERED_RATE)
        if total(gateways, "context_cache_hits_total") > hits_before:
            raise InvalidRunError("A cold request was answered from the cache: the questions are not distinct.")
        degraded = total(gateways, "context_degradations_total") - degraded_before
        self._console.print("Asking the same again and again")
        cached = self._cached()
        memory = resident_megabytes(self._mesh.of(*STAGES))
        return [
            *figures.throughput_figures(rounds),
            *figures.cpu_figures(offered, OFFERED_RATE, rounds, cores=psutil.cpu_count() or 1),
            *figures.offered_figures(offered.load, OFFERED_RATE),
            Figure("degraded answers to cold requests", degraded, "requests", at_most(0)),
            *figures.cached_figures(cached),
            *figures.operation_figures(self._mesh.start_seconds, memory),
            *ingestion,
        ]

    def _ingest(self, corpus: Sequence[CutDocument]) -> list[Figure]:
        """Everything but the last part first, then that part between two runs of the bare encoder over the same."""
        first, timed = _split(corpus)
        self._console.print(f"Ingesting {_count(first)} passages")
        asyncio.run(ingest(self._mesh, first))
        self._console.print(f"Ingesting {_count(timed)} more, beside the bare encoder")
        passages = encode_inputs(timed)
        model = model_file(self._mesh.data_dir / "models")
        processes = len(self._mesh.of("compressor"))
        before = bare_encoder_rate(model, passages, processes=processes)
        ingestion = asyncio.run(ingest_and_ask(self._mesh, timed, self._questions, max_tokens=MAX_TOKENS))
        after = bare_encoder_rate(model, passages, processes=processes)
        self._console.print(f"The bare encoder did {before:.1f} passages/s before and {after:.1f} after")
        return figures.ingestion_figures(ingestion, [before, after])

    async def _warm_up(self) -> BuildContextResponse:
        """Sees that contexts are what they should be; returns the reply of median size."""
        async with Client(self._mesh.edge, api_key=self._mesh.api_key) as client:
            replies = [await client.build_context(q, max_tokens=MAX_TOKENS) for q in self._questions.take(WARM_UP)]
        for reply in replies:
            if reply.degradations or not reply.evidence or reply.tokens.total > MAX_TOKENS:
                raise InvalidRunError(f"A context is degraded, empty or too large: {reply}")
        return sorted(replies, key=BuildContextResponse.ByteSize)[WARM_UP // 2]

    def _rounds(self, reply: BuildContextResponse) -> list[Round]:
        sidecars = self._mesh.of("sidecar")
        rounds = []
        for number in range(1, ROUNDS + 1):
            self._console.print(f"Cold requests and the bare chain, round {number} of {ROUNDS}")
            before = sent_and_received(sidecars, STAGES)
            cold = max((self._cold(c) for c in CONCURRENCIES), key=lambda run: run.load.throughput)
            after = sent_and_received(sidecars, STAGES)
            rounds.append(Round(cold, self._bare(_hops(after - before), reply)))
        return rounds

    def _cold(self, concurrency: int, rate: int | None = None) -> Loaded:
        seconds = self._seconds
        questions = self._questions.ahead(min(int(seconds * _FASTEST), self._questions.left))
        before = cpu_seconds(self._mesh.processes)
        load = self._load.run(_requests(questions), seconds=seconds, concurrency=concurrency, rate=rate)
        used = cpu_seconds(self._mesh.processes)
        used.subtract(before)
        self._questions.take(load.requests)
        return Loaded(load, used)

    def _bare(self, hops: Sequence[Hop], reply: BuildContextResponse) -> Load:
        requests = _requests(self._questions.ahead(WARM_UP))
        with bare_chain(hops, reply.SerializeToString()) as entry:
            client = LoadClient(self._load.ghz, entry, self._load.api_key, self._load.scratch)
            client.run(requests, seconds=1, concurrency=CONCURRENCIES[0])
            loads = [client.run(requests, seconds=self._seconds, concurrency=c) for c in CONCURRENCIES]
        return max(loads, key=lambda load: load.throughput)

    def _cached(self) -> list[Load]:
        requests = _requests(self._questions.take(CACHED_QUESTIONS))
        gateways = self._mesh.of("gateway")
        self._load.run(requests, seconds=2, concurrency=CONCURRENCIES[0])
        misses = total(gateways, "context_cache_misses_total")
        loads = [self._load.run(requests, seconds=self._seconds, concurrency=c) for c in CACHED_CONCURRENCIES]
        if total(gateways, "context_cache_misses_total") > misses:
            raise InvalidRunError("A request of the cached run was not answered from the cache.")
        return loads


def _requests(questions: Sequence[str]) -> list[BuildContextRequest]:
    return [context_request(question, max_tokens=MAX_TOKENS) for question in questions]


def _hops(moved: Counter[tuple[str, str]]) -> list[Hop]:
    """The mean sizes of the calls to each stage, as they went over the wire."""
    return [
        Hop(moved[stage, "sent"] // moved[stage, "requests"], moved[stage, "received"] // moved[stage, "requests"])
        for stage in STAGES
    ]


def _split(corpus: Sequence[CutDocument]) -> tuple[Sequence[CutDocument], Sequence[CutDocument]]:
    """The corpus in two, the second with `MEASURED_SHARE` of the passages."""
    wanted, seen = MEASURED_SHARE * _count(corpus), 0
    for index in reversed(range(len(corpus))):
        seen += len(corpus[index].passages)
        if seen >= wanted:
            return corpus[:index], corpus[index:]
    return (), corpus


def _count(corpus: Sequence[CutDocument]) -> int:
    return sum(len(document.passages) for document in corpus)


if __name__ == "__main__":
    sys.exit(main())
