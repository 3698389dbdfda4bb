"""`python -m benchmarks.explaining`: what ledger, guard and quality figures cost; README.md has the method."""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.corpus import CorpusError, cut, jsonl_documents, library_documents
from benchmarks.ghz import LoadClient, LoadError, find_ghz
from benchmarks.ingestion import IngestionError, ingest
from benchmarks.laptop import Laptop, LaptopError, laptop_mesh
from benchmarks.questions import Questions, questions_about
from benchmarks.report import RESULTS, Figure, at_least, show, write
from scic.client import Client
from scic.client.request import context_request
from scic.gateway.v1.profile_service_pb2 import Profile
from scic.type.v1 import guard_pb2

PASSAGES = 2_000
MAX_TOKENS = 2_000
CONCURRENCY = 8
ROUNDS = 4
_FASTEST = 1_000
_OFF = {"SCIC_GATEWAY_LEDGER": "false", "SCIC_GATEWAY_QUALITY": "false"}
_PROFILE = "bench"


def main() -> int:
    """Measure, print, write; exit code 1 where something could not be measured. A missed goal is no error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explaining", description=__doc__)
    parser.add_argument("--corpus", type=Path, help='lines {"_id", "title", "text"}; default: the standard library')
    parser.add_argument("--passages", type=int, default=PASSAGES, help="size of the corpus")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run of the load client")
    parser.add_argument("--output", type=Path, default=RESULTS / "explaining.json", help="file for the figures")
    options = parser.parse_args()
    console = Console()
    try:
        ghz = find_ghz()
        documents = jsonl_documents(options.corpus) if options.corpus else library_documents()
        corpus = cut(documents, passages=options.passages)
        with (
            tempfile.TemporaryDirectory(prefix="scic-bench-") as folder,
            laptop_mesh(Path(folder) / "on") as on,
            laptop_mesh(Path(folder) / "off", _OFF) as off,
        ):
            for mesh, action in ((on, guard_pb2.GUARD_ACTION_MASK), (off, guard_pb2.GUARD_ACTION_ALLOW)):
                console.print(f"Ingesting {options.passages} passages")
                asyncio.run(ingest(mesh, corpus))
                asyncio.run(_publish(mesh, action))
            questions = questions_about(corpus)
            pairs = []
            for number in range(1, ROUNDS + 1):
                console.print(f"Round {number} of {ROUNDS}")
                # One after the other, the order changing, so that a noisy neighbour hurts both alike.
                order = (on, off) if number % 2 else (off, on)
                rates = {id(m): _rate(m, ghz, questions, options.seconds, Path(folder)) for m in order}
                pairs.append((rates[id(on)], rates[id(off)]))
    except (CorpusError, LaptopError, LoadError, IngestionError) as error:
        console.print(str(error), style="red")
        return 1
    figures = [
        Figure(
            "cold BuildContext with ledger, masks and quality figures", statistics.median(a for a, _ in pairs), "/s"
        ),
        Figure("the same without", statistics.median(b for _, b in pairs), "/s"),
        Figure("ratio, median of the rounds", statistics.median(a / b for a, b in pairs) * 100, "%", at_least(90)),
    ]
    write(options.output, figures)
    show("What explaining costs", figures, console)
    return 0


async def _publish(mesh: Laptop, action: guard_pb2.GuardAction.ValueType) -> None:
    """A profile that does the same with every type."""
    types = [value for value in guard_pb2.SensitiveType.values() if value]
    rules = [guard_pb2.GuardRule(type=value, action=action) for value in types]
    async with Client(mesh.edge, api_key=mesh.api_key) as client:
        await client.publish_profile(_PROFILE, Profile(guard=guard_pb2.Guard(rules=rules)))


def _rate(mesh: Laptop, ghz: str, questions: Questions, seconds: float, scratch: Path) -> float:
    load = LoadClient(ghz, mesh.edge, mesh.api_key, scratch)
    asked = questions.ahead(min(int(seconds * _FASTEST), questions.left))
    requests = [context_request(question, max_tokens=MAX_TOKENS, profile=_PROFILE) for question in asked]
    done = load.run(requests, seconds=seconds, concurrency=CONCURRENCY)
    questions.take(done.requests)
    return done.throughput


if __name__ == "__main__":
    sys.exit(main())
