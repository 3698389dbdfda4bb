"""CorpusService: wire to domain and back."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing
from typing import TypeVar

from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2_grpc as rpc
from services.chassis.deadline import DeadlinePolicy
from services.chassis.interceptors import Context
from services.gateway.callers.authentication import current_principal
from services.gateway.corpus.corpus import Corpus
from services.gateway.corpus.erasure import Erasure, UnfinishedErasureError
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ingestion.stream import IngestStream

_Reply = TypeVar("_Reply")


class CorpusServicer(rpc.CorpusServiceServicer):
    """Answers for the tenant's documents."""

    def __init__(self, corpus: Corpus, erasure: Erasure, ingester: BatchIngester, deadlines: DeadlinePolicy) -> None:
        self._corpus = corpus
        self._erasure = erasure
        self._ingester = ingester
        self._deadlines = deadlines

    async def IngestDocuments(  # noqa: N802 - the name of the RPC
        self, request_iterator: AsyncIterator[pb.IngestDocumentsRequest], context: Context
    ) -> AsyncIterator[pb.IngestDocumentsResponse]:
        """Takes documents in. No deadline of ours: a large corpus takes as long as it takes."""
        # Says at once that the stream is accepted: senders wait for it, since a call that is refused while they write
        # may reach them as an error of their own library (grpc's issue 36066).
        await context.send_initial_metadata(())
        stream = IngestStream(self._ingester, current_principal())
        async with aclosing(stream.run(request_iterator)) as results:
            async for result in results:
                yield result

    async def GetDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.GetDocumentRequest, context: Context
    ) -> pb.GetDocumentResponse:
        """Returns a record."""
        document = await self._corpus.get(current_principal(), request.document_id, self._deadlines.of(context))
        return pb.GetDocumentResponse(document=document)

    async def ListDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        """Lists records."""
        return await self._corpus.list(current_principal(), request, self._deadlines.of(context))

    async def GetCorpusStats(  # noqa: N802 - the name of the RPC
        self, request: pb.GetCorpusStatsRequest, context: Context
    ) -> pb.GetCorpusStatsResponse:
        """Counts."""
        return await self._corpus.stats(current_principal(), self._deadlines.of(context))

    async def DeleteDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteDocumentsRequest, context: Context
    ) -> pb.DeleteDocumentsResponse:
        """Deletes documents."""
        work = self._erasure.delete(current_principal(), request, self._deadlines.of(context))
        return await _told_once(work, context)

    async def EraseSubject(  # noqa: N802 - the name of the RPC
        self, request: pb.EraseSubjectRequest, context: Context
    ) -> pb.EraseSubjectResponse:
        """Erases a subject."""
        work = self._erasure.erase_subject(current_principal(), request, self._deadlines.of(context))
        return await _told_once(work, context)

    async def EraseTenant(  # noqa: N802 - the name of the RPC
        self, request: pb.EraseTenantRequest, context: Context
    ) -> pb.EraseTenantResponse:
        """Erases all of the caller's tenant."""
        work = self._erasure.erase_tenant(current_principal(), request, self._deadlines.of(context))
        return await _told_once(work, context)


async def _told_once(work: Awaitable[_Reply], context: Context) -> _Reply:
    """Makes an erasure that is done by half reach the caller.

    Behind headers neither Envoy nor gRPC's own retries ask again by themselves: the reply to their second try would
    not say what the first one removed.
    """
    try:
        return await work
    except UnfinishedErasureError:
        await context.send_initial_metadata(())
        raise
