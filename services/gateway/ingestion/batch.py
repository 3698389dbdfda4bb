"""Takes a batch of documents in, with as few calls to the stages as it needs."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from grpc import StatusCode

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import passage_pb2, span_pb2
from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.chunking import Chunk, ChunkingError, chunk
from services.gateway.ingestion.incoming import IncomingDocument
from services.gateway.ports import CacheUnavailableError, ContextCache, Stages
from services.gateway.stage_error import StageError

_log = get_logger(__name__)

_PREPARE_PASSAGES = 32
"""Passages in one Prepare call: enough to fill the encoder's batches, few enough to spread over replicas."""

_PREPARE_CALLS = 6
"""Prepare calls under way in one gateway: a few waiting for each of several replicas keep them all busy."""

_MAX_TITLES = 32
"""Titles that a passage keeps; deeper nesting is cut."""

_STAGE_TIMEOUT = 120.0
"""Seconds a stage may take for a batch; a laptop's encoder does some 50 passages a second, and calls queue up."""


@dataclass(frozen=True, slots=True)
class _Chunked:
    """A document and its passages' texts."""

    incoming: IncomingDocument
    chunks: list[Chunk]


class BatchIngester:
    """Takes batches in. Safe to use for several batches at a time, as long as no two hold the same document."""

    def __init__(self, stages: Stages, cache: ContextCache, executor: Executor) -> None:
        self._stages = stages
        self._cache = cache
        self._executor = executor
        self._preparing = asyncio.Semaphore(_PREPARE_CALLS)

    async def ingest(self, tenant: str, batch: Sequence[IncomingDocument]) -> list[pb.IngestDocumentsResponse]:
        """One result for each document of a batch. What is reported as indexed is durable and is found."""
        try:
            return await self._ingest(tenant, batch)
        except StageError as error:
            failure = errors.STAGE_UNAVAILABLE.error(
                f"the {error.stage} has no answer ({error.reason}); send the document again",
                metadata={"stage": error.stage},
            )
        except errors.ScicError as error:
            if error.code is StatusCode.INVALID_ARGUMENT and len(batch) > 1:
                # A stage refused one of them; the others shall not suffer for it.
                return [result for incoming in batch for result in await self.ingest(tenant, [incoming])]
            failure = error
        return [failed(incoming.index, incoming.input.document_id, failure) for incoming in batch]

    async def _ingest(self, tenant: str, batch: Sequence[IncomingDocument]) -> list[pb.IngestDocumentsResponse]:
        unchanged = await self._unchanged(tenant, batch)
        results = [
            _result(incoming, pb.IngestDocumentsResponse.OUTCOME_UNCHANGED, unchanged[incoming.input.document_id])
            for incoming in batch
            if incoming.input.document_id in unchanged
        ]
        changed = [incoming for incoming in batch if incoming.input.document_id not in unchanged]
        chunked: list[_Chunked] = []
        outcomes = await asyncio.get_running_loop().run_in_executor(self._executor, _chunk_all, changed)
        for incoming, outcome in zip(changed, outcomes, strict=True):
            if isinstance(outcome, errors.ScicError):
                results.append(failed(incoming.index, incoming.input.document_id, outcome))
            else:
                chunked.append(_Chunked(incoming, outcome))
        if chunked:
            await self._index(tenant, chunked)
            results += [
                _result(one.incoming, pb.IngestDocumentsResponse.OUTCOME_INDEXED, len(one.chunks)) for one in chunked
            ]
        return results

    async def _unchanged(self, tenant: str, batch: Sequence[IncomingDocument]) -> dict[str, int]:
        request = selector.FindUnchangedRequest(
            tenant=tenant,
            fingerprints=[
                selector.Fingerprint(document_id=incoming.input.document_id, content_hash=incoming.content_hash)
                for incoming in batch
            ],
        )
        response = await self._stages.selector.find_unchanged(request, timeout=_STAGE_TIMEOUT)
        if response.unchanged:
            # They may be stored since a moment ago, by a call whose reply was lost before it was announced.
            await self._announce(tenant, response.corpus_version)
        return {document.document_id: document.passage_count for document in response.unchanged}

    async def _index(self, tenant: str, chunked: Sequence[_Chunked]) -> None:
        """Prepares and stores, then announces the new version: no cached reply outlives what it was built on."""
        raw = [
            compressor.RawPassage(title_path=piece.title_path[:_MAX_TITLES], text=piece.text, kind=one.incoming.kind)
            for one in chunked
            for piece in one.chunks
        ]
        prepared, model = await self._prepare(raw)
        supply = iter(prepared)
        request = selector.IndexRequest(
            tenant=tenant,
            documents=[_indexed(one, supply) for one in chunked],
            embedding_model=model,
        )
        response = await self._stages.selector.index(request, timeout=_STAGE_TIMEOUT)
        await self._announce(tenant, response.corpus_version)

    async def _announce(self, tenant: str, corpus_version: int) -> None:
        try:
            await self._cache.publish_version(tenant, corpus_version)
        except CacheUnavailableError as error:
            # Cached replies may be stale until the version's lease ends; the documents themselves are safe.
            _log.warning("version_not_published", error=str(error))

    async def _prepare(self, raw: Sequence[compressor.RawPassage]) -> tuple[list[compressor.PreparedPassage], str]:
        # Sorted by length, so that the encoder pads little; handed back in the order asked for.
        order = sorted(range(len(raw)), key=lambda index: len(raw[index].text))
        groups = [order[start : start + _PREPARE_PASSAGES] for start in range(0, len(order), _PREPARE_PASSAGES)]
        calls = [asyncio.create_task(self._prepare_group([raw[index] for index in group])) for group in groups]
        try:
            responses = await asyncio.gather(*calls)
        finally:
            # Where one failed, the others are of no use any more.
            for call in calls:
                call.cancel()
        found: dict[int, compressor.PreparedPassage] = {}
        for group, response in zip(groups, responses, strict=True):
            found.update(zip(group, response.passages, strict=True))
        return [found[index] for index in range(len(raw))], responses[0].embedding_model

    async def _prepare_group(self, passages: Sequence[compressor.RawPassage]) -> compressor.PrepareResponse:
        # The clock of a call starts when its turn comes, however many a large document needs.
        async with self._preparing:
            request = compressor.PrepareRequest(passages=passages)
            return await self._stages.compressor.prepare(request, timeout=_STAGE_TIMEOUT)


def failed(index: int, document_id: str, error: errors.ScicError) -> pb.IngestDocumentsResponse:
    """The result of a document that was not taken."""
    metrics.INGESTED_DOCUMENTS.labels("failed").inc()
    return pb.IngestDocumentsResponse(
        document_id=document_id,
        index=index,
        outcome=pb.IngestDocumentsResponse.OUTCOME_FAILED,
        error=errors.to_status(error),
    )


def _result(
    incoming: IncomingDocument, outcome: pb.IngestDocumentsResponse.Outcome.ValueType, passage_count: int
) -> pb.IngestDocumentsResponse:
    name = pb.IngestDocumentsResponse.Outcome.Name(outcome).removeprefix("OUTCOME_").lower()
    metrics.INGESTED_DOCUMENTS.labels(name).inc()
    return pb.IngestDocumentsResponse(
        document_id=incoming.input.document_id, index=incoming.index, outcome=outcome, passage_count=passage_count
    )


def _chunk_all(batch: Sequence[IncomingDocument]) -> list[list[Chunk] | errors.ScicError]:
    return [_chunk(incoming) for incoming in batch]


def _chunk(incoming: IncomingDocument) -> list[Chunk] | errors.ScicError:
    try:
        return chunk(incoming.document)
    except ChunkingError as error:
        metadata = {} if error.line is None else {"line": str(error.line)}
        return errors.CATALOGUE[error.reason].error(
            str(error), metadata=metadata, field_violations=[("document.content", str(error))]
        )


def _indexed(one: _Chunked, supply: Iterator[compressor.PreparedPassage]) -> selector.IndexedDocument:
    sent, document = one.incoming.input, one.incoming.document
    record = selector.DocumentRecord(
        document_id=sent.document_id,
        source=one.incoming.source,
        kind=one.incoming.kind,
        title=one.chunks[0].title_path[0],
        content_type=document.content_type,
        content_hash=one.incoming.content_hash,
        size_bytes=len(sent.content),
        passage_count=len(one.chunks),
        metadata=sent.metadata,
        create_time=sent.create_time if sent.HasField("create_time") else None,
    )
    passages = []
    for ordinal, piece in enumerate(one.chunks):
        prepared = next(supply)
        passage = passage_pb2.Passage(
            passage_id=f"{sent.document_id}#{ordinal}",
            document_id=sent.document_id,
            source=record.source,
            kind=record.kind,
            title_path=piece.title_path[:_MAX_TITLES],
            text=piece.text,
            span=span_pb2.Span(start=piece.start, end=piece.end),
            metadata=sent.metadata,
            create_time=record.create_time if record.HasField("create_time") else None,
            prepared=prepared.prepared,
        )
        passages.append(selector.IndexedPassage(passage=passage, vector=prepared.vector))
    return selector.IndexedDocument(record=record, passages=passages)
