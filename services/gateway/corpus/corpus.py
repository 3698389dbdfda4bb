"""The tenant's documents, as the gateway shows them."""

from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.deadline import Deadline
from services.gateway.callers.caller import caller_of
from services.gateway.callers.principal import Principal
from services.gateway.sources.source import Sources
from services.gateway.stages.ports import Selector
from services.gateway.stages.stage_error import StageError, unavailable

_DEFAULT_PAGE_SIZE = 100


class Corpus:
    """Reads records. There is no stand-in for the selector here: STAGE_UNAVAILABLE where it is away."""

    def __init__(self, selector_stage: Selector, sources: Sources) -> None:
        self._selector = selector_stage
        self._sources = sources

    async def get(self, principal: Principal, document_id: str, deadline: Deadline) -> pb.Document:
        """A document's record. Raises DOCUMENT_NOT_FOUND, for one that the caller may not see, too."""
        request = selector.GetDocumentRequest(
            tenant=principal.tenant, document_id=document_id, caller=caller_of(principal)
        )
        try:
            response = await self._selector.get_document(request, timeout=deadline.remaining())
        except StageError as error:
            raise unavailable(error) from error
        return _document(response.record)

    async def list(
        self, principal: Principal, request: pb.ListDocumentsRequest, deadline: Deadline
    ) -> pb.ListDocumentsResponse:
        """A page of records."""
        if request.source:
            self._sources.find(request.source, field="source")
        try:
            response = await self._selector.list_documents(
                selector.ListDocumentsRequest(
                    tenant=principal.tenant,
                    page_size=request.page_size or _DEFAULT_PAGE_SIZE,
                    page_token=request.page_token,
                    source=request.source,
                    caller=caller_of(principal),
                ),
                timeout=deadline.remaining(),
            )
        except StageError as error:
            raise unavailable(error) from error
        return pb.ListDocumentsResponse(
            documents=[_document(record) for record in response.records], next_page_token=response.next_page_token
        )

    async def stats(self, principal: Principal, deadline: Deadline) -> pb.GetCorpusStatsResponse:
        """Counts of what the caller may see."""
        request = selector.GetStatsRequest(tenant=principal.tenant, caller=caller_of(principal))
        try:
            response = await self._selector.get_stats(request, timeout=deadline.remaining())
        except StageError as error:
            raise unavailable(error) from error
        return _stats(response)


def _document(record: selector.DocumentRecord) -> pb.Document:
    return pb.Document(
        document_id=record.document_id,
        source=record.source,
        title=record.title,
        content_type=record.content_type,
        content_hash=record.content_hash,
        size_bytes=record.size_bytes,
        passage_count=record.passage_count,
        metadata=record.metadata,
        create_time=record.create_time if record.HasField("create_time") else None,
        index_time=record.index_time if record.HasField("index_time") else None,
        acl_groups=record.acl_groups,
        subjects=record.subjects,
        expire_time=record.expire_time if record.HasField("expire_time") else None,
        trust=record.trust,
    )


def _stats(found: selector.GetStatsResponse) -> pb.GetCorpusStatsResponse:
    response = pb.GetCorpusStatsResponse(
        sources=[
            pb.SourceStats(
                source=source.source,
                document_count=source.document_count,
                passage_count=source.passage_count,
                size_bytes=source.size_bytes,
            )
            for source in found.sources
        ],
        corpus_version=found.corpus_version,
        embedding_model=found.embedding_model,
    )
    if found.HasField("reindexing"):
        response.reindexing.embedding_model = found.reindexing.embedding_model
        response.reindexing.done_count = found.reindexing.done_count
        response.reindexing.total_count = found.reindexing.total_count
    return response
