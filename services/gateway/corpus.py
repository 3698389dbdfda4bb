"""The tenant's documents, as the gateway shows them."""

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.deadline import Deadline
from services.chassis.logs import get_logger
from services.gateway.ports import CacheUnavailableError, ContextCache, Selector
from services.gateway.source import SOURCES
from services.gateway.stage_error import StageError

_log = get_logger(__name__)

_DEFAULT_PAGE_SIZE = 100


class Corpus:
    """Reads and deletes documents. There is no stand-in for the selector here: STAGE_UNAVAILABLE where it is away."""

    def __init__(self, selector_stage: Selector, cache: ContextCache) -> None:
        self._selector = selector_stage
        self._cache = cache

    async def get(self, tenant: str, document_id: str, deadline: Deadline) -> pb.Document:
        """A document's record. Raises DOCUMENT_NOT_FOUND, for another tenant's document too."""
        request = selector.GetDocumentRequest(tenant=tenant, document_id=document_id)
        try:
            response = await self._selector.get_document(request, timeout=deadline.remaining())
        except StageError as error:
            raise _unavailable(error) from error
        return _document(response.record)

    async def list(self, tenant: str, request: pb.ListDocumentsRequest, deadline: Deadline) -> pb.ListDocumentsResponse:
        """A page of records."""
        if request.source and request.source not in SOURCES:
            valid = ", ".join(sorted(SOURCES))
            raise errors.UNKNOWN_SOURCE.error(
                f"source {request.source!r} is not known; valid: {valid}",
                metadata={"valid": valid},
                field_violations=[("source", f"must be one of: {valid}")],
            )
        try:
            response = await self._selector.list_documents(
                selector.ListDocumentsRequest(
                    tenant=tenant,
                    page_size=request.page_size or _DEFAULT_PAGE_SIZE,
                    page_token=request.page_token,
                    source=request.source,
                ),
                timeout=deadline.remaining(),
            )
        except StageError as error:
            raise _unavailable(error) from error
        return pb.ListDocumentsResponse(
            documents=[_document(record) for record in response.records], next_page_token=response.next_page_token
        )

    async def delete(
        self, tenant: str, request: pb.DeleteDocumentsRequest, deadline: Deadline
    ) -> pb.DeleteDocumentsResponse:
        """Deletes documents; cached replies that were built on them die with them."""
        try:
            response = await self._selector.delete(
                selector.DeleteRequest(tenant=tenant, document_ids=request.document_ids),
                timeout=deadline.remaining(),
            )
        except StageError as error:
            raise _unavailable(error) from error
        try:
            await self._cache.publish_version(tenant, response.corpus_version)
        except CacheUnavailableError as error:
            _log.warning("version_not_published", error=str(error))
        return pb.DeleteDocumentsResponse(deleted_document_ids=response.deleted_document_ids)


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
    )


def _unavailable(error: StageError) -> errors.ScicError:
    return errors.STAGE_UNAVAILABLE.error(
        f"the {error.stage} does not answer", metadata={"stage": error.stage}, retry_after=1.0
    )
