"""Ingestion by the client, and how the mesh answers meanwhile."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.corpus import CutDocument
from benchmarks.laptop import Laptop
from benchmarks.questions import Questions
from scic.client import Client
from scic.errors import ScicError
from scic.gateway.v1.corpus_service_pb2 import IngestDocumentsResponse
from scic.mesh.health import Health
from scic.mesh.paths import MeshPaths
from scic.mesh.report import report, running_mesh

_SAMPLE_EVERY_SECONDS = 1.0


class IngestionError(Exception):
    """A document was not taken; the message says which and why."""


@dataclass(slots=True)
class Ingestion:
    """What happened during one ingestion."""

    passages: int = 0
    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    """Of the contexts that were asked for meanwhile, one a second."""
    failures: int = 0
    """Of them, those that got an error or a degraded context."""
    unhealthy: int = 0
    """Answers of a process that it was not healthy, or none in time."""

    @property
    def rate(self) -> float:
        """Passages a second."""
        return self.passages / self.seconds


async def ingest(mesh: Laptop, corpus: Sequence[CutDocument]) -> Ingestion:
    """Ingests documents as fast as the mesh takes them. Raises IngestionError when one is refused."""
    ingestion = Ingestion()
    start = time.perf_counter()
    async with Client(mesh.edge, api_key=mesh.api_key) as client:
        async for result in client.ingest_documents(cut.document for cut in corpus):
            if result.outcome != IngestDocumentsResponse.OUTCOME_INDEXED:
                raise IngestionError(f"{result.document_id} was not indexed: {result.error.message or 'unchanged'}")
            ingestion.passages += result.passage_count
    ingestion.seconds = time.perf_counter() - start
    return ingestion


async def ingest_and_ask(
    mesh: Laptop, corpus: Sequence[CutDocument], questions: Questions, *, max_tokens: int
) -> Ingestion:
    """Ingests, asks for a context once a second meanwhile, and asks every process for its health."""
    running = asyncio.create_task(ingest(mesh, corpus))
    latencies: list[float] = []
    failures = unhealthy = 0
    state = running_mesh(MeshPaths(mesh.data_dir))
    if state is None:
        raise IngestionError("The mesh is gone.")
    async with Client(mesh.edge, api_key=mesh.api_key) as client:
        while not running.done():
            (question,) = questions.take(1)
            start = time.perf_counter()
            try:
                built = await client.build_context(question, max_tokens=max_tokens)
                failures += bool(built.degradations)
            except ScicError:
                failures += 1
            latencies.append(1e3 * (time.perf_counter() - start))
            unhealthy += sum(entry.health is not Health.HEALTHY for entry in await report(state))
            await asyncio.wait([running], timeout=_SAMPLE_EVERY_SECONDS)
    ingestion = await running
    ingestion.latencies_ms, ingestion.failures, ingestion.unhealthy = latencies, failures, unhealthy
    return ingestion
