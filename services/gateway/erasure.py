"""Removes documents from every place that holds something of them, and says so."""

import uuid

from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.deadline import Deadline
from services.chassis.logs import get_logger
from services.gateway.announcer import Announcer
from services.gateway.caller import caller_of
from services.gateway.ports import CacheUnavailableError, ContextCache, Selector
from services.gateway.principal import Principal
from services.gateway.stage_error import StageError, unavailable

_log = get_logger(__name__)


class UnfinishedErasureError(errors.ScicError):
    """The corpus holds nothing of it any more, the cache may: STAGE_UNAVAILABLE. The same call again goes on."""

    def __init__(self, document_count: int, passage_count: int) -> None:
        super().__init__(
            errors.STAGE_UNAVAILABLE.code,
            errors.STAGE_UNAVAILABLE.name,
            f"{document_count} documents with {passage_count} passages are gone from the corpus, but the cache does "
            "not answer and may hold replies made of them; call again to empty it, too",
            metadata={"stage": "cache"},
            retry_after=1.0,
        )


class Erasure:
    """Deletes documents, forgets subjects and tenants: first in the corpus, then in the cache.

    In that order, since a reply that is built in between is made of the old corpus: the cache refuses it. Raises
    STAGE_UNAVAILABLE where a place does not answer.
    """

    def __init__(self, selector_stage: Selector, cache: ContextCache, announcer: Announcer) -> None:
        self._selector = selector_stage
        self._cache = cache
        self._announcer = announcer

    async def delete(
        self, principal: Principal, request: pb.DeleteDocumentsRequest, deadline: Deadline
    ) -> pb.DeleteDocumentsResponse:
        """Deletes documents that the caller may see."""
        command = selector.DeleteRequest(
            tenant=principal.tenant, document_ids=request.document_ids, caller=caller_of(principal)
        )
        try:
            response = await self._selector.delete(command, timeout=deadline.remaining())
        except StageError as error:
            await self._forget_cached(principal.tenant)
            raise unavailable(error) from error
        deleted = response.deleted_document_ids
        receipt = await self._receipt(principal.tenant, response.corpus_version, len(deleted), response.passage_count)
        return pb.DeleteDocumentsResponse(deleted_document_ids=deleted, receipt=receipt)

    async def erase_subject(
        self, principal: Principal, request: pb.EraseSubjectRequest, deadline: Deadline
    ) -> pb.EraseSubjectResponse:
        """Erases every document of the tenant that carries a subject."""
        command = selector.EraseRequest(tenant=principal.tenant, subject=request.subject)
        response, receipt = await self._erase(command, deadline)
        return pb.EraseSubjectResponse(deleted_document_ids=response.deleted_document_ids, receipt=receipt)

    async def erase_tenant(
        self, principal: Principal, request: pb.EraseTenantRequest, deadline: Deadline
    ) -> pb.EraseTenantResponse:
        """Erases all of the caller's tenant. Raises INVALID_FIELD where the request names another."""
        if request.tenant != principal.tenant:
            raise errors.INVALID_FIELD.error(
                "tenant is not the tenant of the API key; nothing was erased",
                field_violations=[("tenant", "must be the tenant of the API key")],
            )
        command = selector.EraseRequest(tenant=principal.tenant, everything=True)
        _, receipt = await self._erase(command, deadline)
        return pb.EraseTenantResponse(receipt=receipt)

    async def _erase(
        self, command: selector.EraseRequest, deadline: Deadline
    ) -> tuple[selector.EraseResponse, pb.Receipt]:
        try:
            response = await self._selector.erase(command, timeout=deadline.remaining())
        except StageError as error:
            await self._forget_cached(command.tenant)
            raise unavailable(error) from error
        receipt = await self._receipt(
            command.tenant, response.corpus_version, response.document_count, response.passage_count
        )
        return response, receipt

    async def _forget_cached(self, tenant: str) -> None:
        """Empties the cache where the selector's answer was lost: it may have removed what entries are made of."""
        try:
            await self._cache.erase(tenant, 0)
        except CacheUnavailableError as error:
            _log.warning("cache_not_emptied", error=str(error))

    async def _receipt(self, tenant: str, corpus_version: int, document_count: int, passage_count: int) -> pb.Receipt:
        """Empties the cache, and then says what was removed from where."""
        try:
            entry_count = await self._cache.erase(tenant, corpus_version)
        except CacheUnavailableError as error:
            # Until the caller comes back, what is left in the cache is at least never used again.
            self._announcer.announce_later(tenant, corpus_version, removed=True)
            raise UnfinishedErasureError(document_count, passage_count) from error
        time = Timestamp()
        time.GetCurrentTime()
        return pb.Receipt(
            receipt_id=str(uuid.uuid4()),
            time=time,
            places=[
                pb.Receipt.Place(name="corpus", document_count=document_count, passage_count=passage_count),
                pb.Receipt.Place(name="cache", entry_count=entry_count),
            ],
        )
