"""CorpusService: wire to domain and back."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2_grpc as rpc
from services.chassis.interceptors import Context
from services.gateway.authentication import current_principal
from services.gateway.caller_deadline import caller_deadline
from services.gateway.corpus import Corpus
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ingestion.stream import IngestStream


class CorpusServicer(rpc.CorpusServiceServicer):
    """Answers for the tenant's documents."""

    def __init__(self, corpus: Corpus, ingester: BatchIngester) -> None:
        self._corpus = corpus
        self._ingester = ingester

    async def IngestDocuments(  # noqa: N802 - the name of the RPC
        self, request_iterator: AsyncIterator[pb.IngestDocumentsRequest], context: Context
    ) -> AsyncIterator[pb.IngestDocumentsResponse]:
        """Takes documents in. No deadline of ours: a large corpus takes as long as it takes."""
        # Says at once that the stream is accepted: senders wait for it, since a call that is refused while they write
        # may reach them as an error of their own library (grpc's issue 36066).
        await context.send_initial_metadata(())
        stream = IngestStream(self._ingester, current_principal().tenant)
        async with aclosing(stream.run(request_iterator)) as results:
            async for result in results:
                yield result

    async def GetDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.GetDocumentRequest, context: Context
    ) -> pb.GetDocumentResponse:
        """Returns a record."""
        tenant = current_principal().tenant
        return pb.GetDocumentResponse(
            document=await self._corpus.get(tenant, request.document_id, caller_deadline(context))
        )

    async def ListDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        """Lists records."""
        return await self._corpus.list(current_principal().tenant, request, caller_deadline(context))

    async def DeleteDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteDocumentsRequest, context: Context
    ) -> pb.DeleteDocumentsResponse:
        """Deletes documents."""
        return await self._corpus.delete(current_principal().tenant, request, caller_deadline(context))

    async def EraseSubject(  # noqa: N802 - the name of the RPC
        self, request: pb.EraseSubjectRequest, context: Context
    ) -> pb.EraseSubjectResponse:
        """Not there yet."""
        raise errors.NOT_IMPLEMENTED.error(
            "documents carry no subject in this version; delete them by id with DeleteDocuments"
        )
