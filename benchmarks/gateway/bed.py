"""What the figures of a gateway under load share: a mesh with a corpus, questions that nobody asked, load clients."""

import argparse
import asyncio
import itertools
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.corpus import CorpusError, cut, library_documents
from benchmarks.gateway.edge import EdgeError
from benchmarks.ghz import LoadClient, LoadError, find_ghz
from benchmarks.ingestion import IngestionError, ingest
from benchmarks.laptop import Laptop, LaptopError, laptop_mesh
from benchmarks.questions import Questions, prose_sentences, questions_about
from benchmarks.report import RESULTS, Figure, show, write
from scic.client.request import context_request
from scic.errors import ScicError
from scic.gateway.v1.context_service_pb2 import BuildContextRequest

PASSAGES = 1_500
MAX_TOKENS = 2_000
"""Budget of every context."""
_QUESTIONS = 40_000
"""More than all figures together ask."""


class MeasureError(Exception):
    """What was measured is not what was meant; the message is one sentence."""


ERRORS = (CorpusError, EdgeError, IngestionError, LaptopError, LoadError, MeasureError, ScicError, TimeoutError)
"""What ends a measurement without a figure."""


@dataclass(frozen=True, slots=True)
class Bed:
    """A mesh of two replicas of each service and no worker, with a corpus."""

    mesh: Laptop
    folder: Path
    """For files of a figure's own."""
    ghz: str
    questions: Questions
    sentences: Sequence[str]
    """Of the corpus."""
    console: Console

    def load(self, address: str = "") -> LoadClient:
        """The independent load client, against the mesh's edge or another address."""
        return LoadClient(self.ghz, address or self.mesh.edge, self.mesh.api_key, self.folder)

    def cold(self, count: int) -> list[BuildContextRequest]:
        """Requests that nobody has sent."""
        return [context_request(question, max_tokens=MAX_TOKENS) for question in self.questions.take(count)]

    def say(self, what: str) -> None:
        """Tells what is going on."""
        self.console.print(what, style="dim")


Measure = Callable[[Bed], list[Figure]]


@contextmanager
def bed(console: Console, *, passages: int = PASSAGES) -> Iterator[Bed]:
    """Start a mesh and ingest a corpus. Raises one of `ERRORS`."""
    ghz = find_ghz()
    corpus = cut(library_documents(), passages=passages)
    with (
        tempfile.TemporaryDirectory(prefix="scic-bench-") as folder,
        laptop_mesh(Path(folder) / "mesh", options=("--workers", "0")) as mesh,
    ):
        console.print(f"Ingesting {passages} passages", style="dim")
        asyncio.run(ingest(mesh, corpus))
        yield Bed(mesh, Path(folder), ghz, _many(questions_about(corpus)), prose_sentences(corpus), console)


def run(title: str, output: str, measures: Sequence[tuple[str, Measure]]) -> int:
    """Measure, print, write `results/OUTPUT.json`.

    What cannot be measured is said, and does not keep the others from being measured; the exit code is 1 then.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--passages", type=int, default=PASSAGES, help="size of the corpus")
    parser.add_argument("--output", type=Path, default=RESULTS / f"{output}.json", help="file for the figures")
    options = parser.parse_args()
    # As Ctrl-C does it: the mesh would outlive us otherwise, since it runs detached.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(width=130)
    figures: list[Figure] = []
    failed = False
    try:
        with bed(console, passages=options.passages) as made:
            for name, measure in measures:
                console.print(name, style="bold")
                try:
                    figures += measure(made)
                except ERRORS as error:
                    failed = True
                    console.print(f"{name}: not measured. {error}", style="red", markup=False)
    except ERRORS as error:
        failed = True
        console.print(str(error), style="red", markup=False)
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return 130
    if figures:
        write(options.output, figures)
        show(title, figures, console)
    return int(failed)


def _many(questions: Questions) -> Questions:
    """The corpus's questions again and again, each time with another number, so that all are different."""
    asked = questions.take(questions.left)
    rounds = itertools.chain(asked, (f"{question} ({number})" for number in itertools.count(2) for question in asked))
    return Questions(list(itertools.islice(rounds, _QUESTIONS)))
