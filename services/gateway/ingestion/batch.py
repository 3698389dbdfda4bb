"""Takes a batch of documents in, with as few calls to the stages as it needs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TypeAlias

from grpc import StatusCode

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis import metrics
from services.gateway.cache.ports import LOST_CHANGE, CorpusChange
from services.gateway.callers.caller import caller_of
from services.gateway.callers.principal import Principal
from services.gateway.corpus.announcer import Announcer
from services.gateway.guard.detect import Detectors
from services.gateway.ingestion.chunked import ChunkedDocument, chunk_all
from services.gateway.ingestion.incoming import IncomingDocument
from services.gateway.sources.source import Sources
from services.gateway.stages.ports import Stages
from services.gateway.stages.stage_error import StageError

_PREPARE_PASSAGES = 32
"""Passages in one Prepare call: enough to fill the encoder's batches, few enough to spread over replicas."""

_PREPARE_CALLS = 6
"""Prepare calls under way in one gateway: a few waiting for each of several replicas keep them all busy."""

_STAGE_TIMEOUT = 120.0
"""Seconds a stage may take for a batch; a laptop's encoder does some 50 passages a second, and calls queue up."""

_ONE_IS_REFUSED = frozenset({StatusCode.INVALID_ARGUMENT, StatusCode.PERMISSION_DENIED})
"""What the selector answers where it may take the other documents of a batch."""

BeforeWrite: TypeAlias = Callable[[], Awaitable[None]]
"""Called right before each write: who may no longer write raises."""


class BatchIngester:
    """Takes batches in. Safe to use for several batches at a time, as long as no two hold the same document."""

    def __init__(
        self, stages: Stages, announcer: Announcer, executor: Executor, sources: Sources, detectors: Detectors
    ) -> None:
        self._stages = stages
        self._detectors = detectors
        self._announcer = announcer
        self._executor = executor
        self.sources = sources
        """Those that documents can belong to."""
        self._preparing = asyncio.Semaphore(_PREPARE_CALLS)

    async def ingest(
        self, principal: Principal, batch: Sequence[IncomingDocument], *, before_write: BeforeWrite | None = None
    ) -> list[pb.IngestDocumentsResponse]:
        """One result for each document of a batch. What is reported as indexed is durable and is found.

        What `before_write` raises, and is no ScicError, ends it before anything more is stored.
        """
        try:
            return await self._ingest(principal, batch, before_write)
        except StageError as error:
            failure = _no_answer(error)
        except errors.ScicError as error:
            if error.code is StatusCode.INVALID_ARGUMENT and len(batch) > 1:
                # A stage refused one of them; the others shall not suffer for it.
                return [
                    result
                    for incoming in batch
                    for result in await self.ingest(principal, [incoming], before_write=before_write)
                ]
            failure = error
        return [failed(incoming.index, incoming.input.document_id, failure) for incoming in batch]

    async def _ingest(
        self, principal: Principal, batch: Sequence[IncomingDocument], before_write: BeforeWrite | None
    ) -> list[pb.IngestDocumentsResponse]:
        unchanged, version = await self._unchanged(principal, batch)
        results = [
            _result(
                incoming, pb.IngestDocumentsResponse.OUTCOME_UNCHANGED, unchanged[incoming.input.document_id], version
            )
            for incoming in batch
            if incoming.input.document_id in unchanged
        ]
        changed = [incoming for incoming in batch if incoming.input.document_id not in unchanged]
        chunked: list[ChunkedDocument] = []
        work = partial(chunk_all, changed, self._detectors)
        outcomes = await asyncio.get_running_loop().run_in_executor(self._executor, work)
        for incoming, outcome in zip(changed, outcomes, strict=True):
            if isinstance(outcome, errors.ScicError):
                results.append(failed(incoming.index, incoming.input.document_id, outcome))
            else:
                chunked.append(outcome)
        if chunked:
            results += await self._index(principal, chunked, before_write)
        return results

    async def _unchanged(self, principal: Principal, batch: Sequence[IncomingDocument]) -> tuple[dict[str, int], int]:
        """Passages of each document that needs no work, and the version of the corpus that holds them."""
        request = selector.FindUnchangedRequest(
            tenant=principal.tenant,
            fingerprints=[
                selector.Fingerprint(document_id=incoming.input.document_id, content_hash=incoming.content_hash)
                for incoming in batch
            ],
            caller=caller_of(principal),
        )
        response = await self._stages.selector.find_unchanged(request, timeout=_STAGE_TIMEOUT)
        if response.unchanged:
            # They may be stored since a moment ago, and in the place of others, by a call whose reply was lost before
            # it was announced.
            await self._announcer.confirm(principal.tenant, response.corpus_version)
        unchanged = {document.document_id: document.passage_count for document in response.unchanged}
        return unchanged, response.corpus_version

    async def _index(
        self, principal: Principal, chunked: Sequence[ChunkedDocument], before_write: BeforeWrite | None
    ) -> list[pb.IngestDocumentsResponse]:
        raw = [
            compressor.RawPassage(title_path=piece.title_path, text=piece.text, kind=one.incoming.kind)
            for one in chunked
            for piece in one.chunks
        ]
        prepared, model = await self._prepare(raw)
        supply = iter(prepared)
        documents = [(one, one.indexed(supply)) for one in chunked]
        try:
            version = await self._store(principal, [document for _, document in documents], model, before_write)
        except errors.ScicError as error:
            if error.code not in _ONE_IS_REFUSED or len(documents) == 1:
                raise _of_document(error) from error
            # The others shall not suffer for it; what was prepared need not be prepared again.
            return [await self._index_one(principal, one, document, model, before_write) for one, document in documents]
        return [_indexed_result(one, version) for one, _ in documents]

    async def _index_one(
        self,
        principal: Principal,
        one: ChunkedDocument,
        document: selector.IndexedDocument,
        model: str,
        before_write: BeforeWrite | None,
    ) -> pb.IngestDocumentsResponse:
        try:
            version = await self._store(principal, [document], model, before_write)
        except errors.ScicError as error:
            return failed(one.incoming.index, one.incoming.input.document_id, _of_document(error))
        except StageError as error:
            return failed(one.incoming.index, one.incoming.input.document_id, _no_answer(error))
        return _indexed_result(one, version)

    async def _store(
        self,
        principal: Principal,
        documents: Sequence[selector.IndexedDocument],
        model: str,
        before_write: BeforeWrite | None,
    ) -> int:
        """Stores, then announces it: no cached reply outlives what it was built on. Returns the corpus version."""
        request = selector.IndexRequest(
            tenant=principal.tenant, documents=documents, embedding_model=model, caller=caller_of(principal)
        )
        if before_write is not None:
            await before_write()
        try:
            response = await self._stages.selector.index(request, timeout=_STAGE_TIMEOUT)
        except StageError:
            await self._announcer.announce(principal.tenant, LOST_CHANGE)
            raise
        except asyncio.CancelledError:
            # The same, of a caller that has left.
            self._announcer.announce_later(principal.tenant, LOST_CHANGE)
            raise
        # Which of them were replaced is not said; a document that is new ends no entry.
        replaced = [document.record.document_id for document in documents] if response.replaced_count else ()
        change = CorpusChange(response.previous_version, response.corpus_version, replaced)
        await self._announcer.announce(principal.tenant, change)
        return response.corpus_version

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


def _no_answer(error: StageError) -> errors.ScicError:
    return errors.STAGE_UNAVAILABLE.error(
        f"the {error.stage} has no answer ({error.reason}); send the document again", metadata={"stage": error.stage}
    )


def _of_document(error: errors.ScicError) -> errors.ScicError:
    """The refusal of a document as its sender knows the fields."""
    if error.reason != errors.DOCUMENT_FORBIDDEN.name:
        return error
    return errors.DOCUMENT_FORBIDDEN.error(
        "the id belongs to a document whose groups the API key is not in",
        field_violations=[("document.document_id", "must not be that of a document that the API key may not see")],
    )


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
    incoming: IncomingDocument,
    outcome: pb.IngestDocumentsResponse.Outcome.ValueType,
    passage_count: int,
    corpus_version: int,
) -> pb.IngestDocumentsResponse:
    name = pb.IngestDocumentsResponse.Outcome.Name(outcome).removeprefix("OUTCOME_").lower()
    metrics.INGESTED_DOCUMENTS.labels(name).inc()
    return pb.IngestDocumentsResponse(
        document_id=incoming.input.document_id,
        index=incoming.index,
        outcome=outcome,
        passage_count=passage_count,
        corpus_version=corpus_version,
    )


def _indexed_result(one: ChunkedDocument, corpus_version: int) -> pb.IngestDocumentsResponse:
    return _result(one.incoming, pb.IngestDocumentsResponse.OUTCOME_INDEXED, len(one.chunks), corpus_version)
