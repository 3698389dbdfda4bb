"""A steady load of distinct questions on a mesh, and what became of each."""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
import pytest

from scic import Client, ScicError
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import context_service_pb2_grpc as rpc
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.type.v1 import degradation_pb2
from tests.laptop import LaptopMesh
from tests.waiting import LONG, eventually

WORKERS = 10
_PAUSE = 0.2
"""Seconds between a worker's calls: fifty calls a second leave processes the time to start."""
_DEADLINE = 20.0
# The client's one retry would hide what the mesh loses.
_NO_RETRY = (("grpc.enable_retries", 0),)


@dataclass
class Load:
    """What was answered so far."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)
    degradations: Counter[str] = field(default_factory=Counter)
    cache: Counter[str] = field(default_factory=Counter)
    rungs: Counter[str] = field(default_factory=Counter)
    """How often each rung answered for a source."""

    async def more(self, count: int) -> None:
        """Waits for that many more answers."""
        wanted = self.answered + count
        await eventually(f"{wanted} answers", lambda: self.answered >= wanted or bool(self.failures))

    async def more_stand_ins(self, count: int) -> None:
        """Waits until that many more times something else answered for a source."""
        wanted = self._stand_ins + count
        await eventually(f"{wanted} stand-ins", lambda: self._stand_ins >= wanted or bool(self.failures))

    @property
    def _stand_ins(self) -> int:
        return self.rungs.total() - self.rungs["PRIMARY"]

    def assert_nothing_failed(self, *, degraded_at_most: int = 0) -> None:
        assert self.failures == []
        assert self.degradations.total() <= degraded_at_most, (self.answered, self.degradations)

    def note(self, built: pb.BuildContextResponse) -> None:
        self.answered += 1
        self.cache[pb.CacheStatus.Name(built.cache).removeprefix("CACHE_STATUS_")] += 1
        for degradation in built.degradations:
            stage = degradation_pb2.Stage.Name(degradation.stage).removeprefix("STAGE_")
            self.degradations[f"{stage} {degradation.reason}"] += 1
        for source in built.sources:
            self.rungs[pb.SourceReport.Rung.Name(source.rung).removeprefix("RUNG_")] += 1


@asynccontextmanager
async def load(mesh: LaptopMesh, *, every: int | None = None, evidence_always: bool = True) -> AsyncIterator[Load]:
    """Keeps ten calls under way, through Envoy, as long as the context lasts; `every` questions come again.

    A reply without evidence is a failure: always, or only where it does not say why.
    """
    seen, numbers, stop = Load(), itertools.count(), asyncio.Event()
    name = secrets.token_hex(4)  # no two loads ask the same
    metadata = (("authorization", f"Bearer {mesh.api_key}"),)

    async def work(stub: "rpc.ContextServiceAsyncStub") -> None:
        while not stop.is_set():
            number = next(numbers)
            subject = number if every is None else number % every
            question = f"What does note {subject % 40} say about topic {subject} of {name}?"
            request = pb.BuildContextRequest(question=question, max_tokens=600)
            try:
                built = await stub.BuildContext(request, metadata=metadata, timeout=_DEADLINE)
            except grpc.aio.AioRpcError as error:
                seen.failures.append(f"{number}: {error.code().name} {error.details()}")
            else:
                seen.note(built)
                if not built.evidence and (evidence_always or not built.degradations):
                    seen.failures.append(f"{number}: no evidence, degraded {built.degradations}")
            await asyncio.sleep(_PAUSE)

    async with grpc.aio.insecure_channel(mesh.address, options=_NO_RETRY) as channel:
        workers = [asyncio.create_task(work(rpc.ContextServiceStub(channel))) for _ in range(WORKERS)]
        try:
            yield seen
        finally:
            stop.set()
            _, late = await asyncio.wait(workers, timeout=LONG)
            for worker in late:
                worker.cancel()
    if late:
        pytest.fail(f"{len(late)} calls did not end")
    print(
        f"{seen.answered} answered, {len(seen.failures)} failed, degraded {dict(seen.degradations)}, {dict(seen.cache)}"
    )


def notes(count: int, *, paragraphs: int = 1) -> list[corpus.DocumentInput]:
    """Small documents for the questions."""
    return [
        corpus.DocumentInput(
            document_id=f"note-{number}.md",
            content=(
                f"# Note {number}\n\n"
                + "\n\n".join(
                    f"Paragraph {part} of note {number} holds value {number * 1000 + part} about topic {number % 7}. "
                    + "It goes on for a while, so that there is something to leave out. " * 3
                    for part in range(paragraphs)
                )
            ).encode(),
            content_type="text/markdown",
        )
        for number in range(count)
    ]


async def ingest(client: Client, documents: Sequence[corpus.DocumentInput], seen: dict[str, Any]) -> None:
    """Sends documents and notes each outcome; ends when the stream does, however that is."""
    try:
        async for result in client.ingest_documents(documents):
            seen[result.document_id] = result.outcome
    except ScicError as error:
        seen[""] = repr(error)
