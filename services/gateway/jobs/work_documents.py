"""Jobs that ingest documents."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as pb
from services.chassis.work import on_thread
from services.gateway.callers.principal import Principal
from services.gateway.ingestion.batch import failed
from services.gateway.ingestion.incoming import IncomingDocument, read
from services.gateway.jobs.ports import Claim, ItemResult
from services.gateway.jobs.retriable import is_retriable
from services.gateway.jobs.work import Done, Tenure, do_all
from services.gateway.sources.source import Sources

_BATCHES_AT_A_TIME = 3
_BATCH_DOCUMENTS = 32
_BATCH_BYTES = 1 << 20


class Ingester(Protocol):
    """Takes documents in."""

    sources: Sources
    """Those that documents can belong to."""

    async def ingest(
        self,
        principal: Principal,
        batch: Sequence[IncomingDocument],
        *,
        before_write: Callable[[], Awaitable[None]] | None = None,
    ) -> list[corpus_pb.IngestDocumentsResponse]:
        """One result for each; no two are the same document. What is reported as indexed is durable and is found.

        What `before_write` raises ends it before anything is stored.
        """
        ...


class DocumentWork:
    """Ingests the documents of a batch; see Work. What an attempt before has stored is found unchanged."""

    def __init__(self, ingester: Ingester) -> None:
        self._ingester = ingester

    async def do(self, owner: Principal, claim: Claim, tenure: Tenure) -> None:
        """Ingests those that have no result yet."""
        documents = pb.DocumentBatch.FromString(claim.payload).documents

        async def ingest(indices: Sequence[int]) -> Done:
            return await self._ingest(owner, [(index, documents[index]) for index in indices], tenure)

        for turn in _turns(documents):
            todo = [index for index in turn if index not in claim.done]
            await do_all(_batches(todo, documents), ingest, tenure, at_a_time=_BATCHES_AT_A_TIME)

    async def _ingest(
        self, owner: Principal, sent: Sequence[tuple[int, corpus_pb.DocumentInput]], tenure: Tenure
    ) -> Done:
        # Hashing takes a while: not on the loop.
        incoming, outcomes = await on_thread(None, _read_all, sent, owner, self._ingester.sources)
        if incoming:
            outcomes += await self._ingester.ingest(owner, incoming, before_write=tenure.check)
        results: dict[int, ItemResult] = {}
        failure: errors.ScicError | None = None
        for outcome in outcomes:
            error = errors.from_status(outcome.error) if outcome.HasField("error") else None
            if error is not None and is_retriable(error):
                failure = error
                continue
            result = pb.JobResult(index=outcome.index, document_id=outcome.document_id)
            if error is None:
                result.document.CopyFrom(outcome)
            else:
                result.error.CopyFrom(outcome.error)
            results[outcome.index] = ItemResult(result, [outcome.document_id] if outcome.document_id else [])
        return Done(results, failure)


def _read_all(
    sent: Sequence[tuple[int, corpus_pb.DocumentInput]], owner: Principal, sources: Sources
) -> tuple[list[IncomingDocument], list[corpus_pb.IngestDocumentsResponse]]:
    """The documents that can be taken, and the results of those that cannot."""
    incoming: list[IncomingDocument] = []
    refused: list[corpus_pb.IngestDocumentsResponse] = []
    for index, document in sent:
        try:
            request = corpus_pb.IngestDocumentsRequest(document=document)
            incoming.append(read(index, request, owner, sources))
        except errors.ScicError as error:
            refused.append(failed(index, document.document_id, error))
    return incoming, refused


def _turns(documents: Sequence[corpus_pb.DocumentInput]) -> Iterable[list[int]]:
    """Places of documents in turns, none of which holds an id twice.

    A turn begins when all of the one before have results, so the last one of an id stays, whichever attempt does it.
    """
    turns: defaultdict[int, list[int]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for index, document in enumerate(documents):
        turns[seen[document.document_id]].append(index)
        seen[document.document_id] += 1
    return turns.values()


def _batches(indices: Iterable[int], documents: Sequence[corpus_pb.DocumentInput]) -> Iterator[list[int]]:
    """Places in groups that go to the stages together."""
    batch: list[int] = []
    size = 0
    for index in indices:
        batch.append(index)
        size += len(documents[index].content)
        if len(batch) == _BATCH_DOCUMENTS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
