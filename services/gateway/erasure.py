"""Removes documents from every place that holds something of them, and says so."""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.deadline import Deadline
from services.chassis.logs import get_logger
from services.gateway.announcer import Announcer
from services.gateway.caller import caller_of
from services.gateway.ledger.ports import Ledger
from services.gateway.ports import CacheUnavailableError, ContextCache, Selector
from services.gateway.principal import Principal
from services.gateway.profiles.ports import ErasableProfiles
from services.gateway.stage_error import StageError, unavailable

_log = get_logger(__name__)


class UnfinishedErasureError(errors.ScicError):
    """The corpus holds nothing of it any more, `place` may: STAGE_UNAVAILABLE. The same call again goes on."""

    def __init__(self, place: str, document_count: int, passage_count: int) -> None:
        super().__init__(
            errors.STAGE_UNAVAILABLE.code,
            errors.STAGE_UNAVAILABLE.name,
            f"{document_count} documents with {passage_count} passages are gone from the corpus, but the {place} does "
            "not answer and may hold something of them; call again to empty it, too",
            metadata={"stage": place},
            retry_after=1.0,
        )


class Erasure:
    """Deletes documents, forgets subjects and tenants: first in the corpus, then in the cache, then in the ledger; of a
    tenant its profiles, too.

    In that order, since a reply that is built in between is made of the old corpus: the cache and the ledger refuse it.
    Raises STAGE_UNAVAILABLE where a place does not answer.
    """

    def __init__(
        self,
        selector_stage: Selector,
        cache: ContextCache,
        announcer: Announcer,
        ledger: Ledger,
        profiles: ErasableProfiles,
    ) -> None:
        self._selector = selector_stage
        self._profiles = profiles
        self._cache = cache
        self._announcer = announcer
        self._ledger = ledger

    async def delete(
        self, principal: Principal, request: pb.DeleteDocumentsRequest, deadline: Deadline
    ) -> pb.DeleteDocumentsResponse:
        """Deletes documents that the caller may see."""
        tenant = principal.tenant
        erasure = _name("documents", *sorted(set(request.document_ids)))
        unfinished = await self._begin(tenant, erasure)
        command = selector.DeleteRequest(tenant=tenant, document_ids=request.document_ids, caller=caller_of(principal))
        try:
            response = await self._selector.delete(command, timeout=deadline.remaining())
        except StageError as error:
            await self._forget_cached(tenant)
            raise unavailable(error) from error
        deleted = response.deleted_document_ids
        removed = selector.EraseResponse(
            document_count=len(deleted), passage_count=response.passage_count, corpus_version=response.corpus_version
        )
        erased = {*deleted, *(await self._gone(tenant, request.document_ids, deadline) if unfinished else ())}
        receipt = await self._receipt(tenant, removed, lambda: self._ledger.erase_documents(tenant, [*erased]), erasure)
        return pb.DeleteDocumentsResponse(deleted_document_ids=deleted, receipt=receipt)

    async def erase_subject(
        self, principal: Principal, request: pb.EraseSubjectRequest, deadline: Deadline
    ) -> pb.EraseSubjectResponse:
        """Erases every document of the tenant that carries a subject."""
        tenant = principal.tenant
        erasure = _name("subject", request.subject)
        unfinished = await self._begin(tenant, erasure)
        removed = await self._erase(selector.EraseRequest(tenant=tenant, subject=request.subject), deadline)
        deleted = removed.deleted_document_ids

        def erase_records() -> Awaitable[int]:
            # Of an erasure that goes on, or of more than the 1,000 documents that the selector lists, nobody knows all
            # names: then no record can be told to be free of the subject.
            if unfinished or removed.document_count > len(deleted):
                return self._ledger.erase_tenant(tenant)
            return self._ledger.erase_documents(tenant, deleted)

        receipt = await self._receipt(tenant, removed, erase_records, erasure)
        await self._cache.forget_history()
        return pb.EraseSubjectResponse(deleted_document_ids=deleted, receipt=receipt)

    async def erase_tenant(
        self, principal: Principal, request: pb.EraseTenantRequest, deadline: Deadline
    ) -> pb.EraseTenantResponse:
        """Erases all of the caller's tenant. Raises INVALID_FIELD where the request names another."""
        tenant = principal.tenant
        if request.tenant != tenant:
            raise errors.INVALID_FIELD.error(
                "tenant is not the tenant of the API key; nothing was erased",
                field_violations=[("tenant", "must be the tenant of the API key")],
            )
        removed = await self._erase(selector.EraseRequest(tenant=tenant, everything=True), deadline)
        receipt = await self._receipt(tenant, removed, lambda: self._ledger.erase_tenant(tenant), None)
        try:
            count = await self._profiles.erase_tenant(tenant)
        except errors.ScicError as error:
            raise UnfinishedErasureError("profiles", removed.document_count, removed.passage_count) from error
        receipt.places.add(name="profiles", entry_count=count)
        await self._cache.forget_history()
        return pb.EraseTenantResponse(receipt=receipt)

    async def _gone(self, tenant: str, document_ids: Sequence[str], deadline: Deadline) -> list[str]:
        """Those that no longer exist, for nobody: the call before, which never ended, may have removed them.

        One that the caller may not see is still there, and so are its records.
        """

        async def is_gone(document_id: str) -> bool:
            query = selector.GetDocumentRequest(
                tenant=tenant, document_id=document_id, caller=selector.Caller(sees_all=True)
            )
            try:
                await self._selector.get_document(query, timeout=deadline.remaining())
            except errors.ScicError as error:
                if error.reason != errors.DOCUMENT_NOT_FOUND.name:
                    raise
                return True
            except StageError as error:
                raise unavailable(error) from error
            return False

        return [document_id for document_id in document_ids if await is_gone(document_id)]

    async def _begin(self, tenant: str, erasure: str) -> bool:
        try:
            return await self._ledger.begin_erasure(tenant, erasure)
        except errors.ScicError as error:
            raise errors.STAGE_UNAVAILABLE.error(
                "the ledger does not answer, so nothing was erased yet", metadata={"stage": "ledger"}, retry_after=1.0
            ) from error

    async def _erase(self, command: selector.EraseRequest, deadline: Deadline) -> selector.EraseResponse:
        try:
            return await self._selector.erase(command, timeout=deadline.remaining())
        except StageError as error:
            await self._forget_cached(command.tenant)
            raise unavailable(error) from error

    async def _forget_cached(self, tenant: str) -> None:
        """Empties the cache where the selector's answer was lost: it may have removed what entries are made of."""
        try:
            await self._cache.erase(tenant, 0)
        except CacheUnavailableError as error:
            _log.warning("cache_not_emptied", error=str(error))

    async def _receipt(
        self,
        tenant: str,
        removed: selector.EraseResponse,
        erase_records: Callable[[], Awaitable[int]],
        erasure: str | None,
    ) -> pb.Receipt:
        """Empties cache and ledger of what was removed from the corpus, and then says what was removed from where."""
        document_count, passage_count = removed.document_count, removed.passage_count
        entry_count, away = 0, None
        try:
            entry_count = await self._cache.erase(tenant, removed.corpus_version)
        except CacheUnavailableError as error:
            # Until the caller comes back, what is left in the cache is at least never used again. The ledger is emptied
            # all the same: only this call knows the names of what was removed.
            self._announcer.announce_later(tenant, removed.corpus_version, removed=True)
            away = error
        try:
            record_count = await erase_records()
            if erasure is not None:
                await self._ledger.end_erasure(tenant, erasure)
        except errors.ScicError as error:
            raise UnfinishedErasureError("ledger", document_count, passage_count) from error
        if away:
            raise UnfinishedErasureError("cache", document_count, passage_count) from away
        time = Timestamp()
        time.GetCurrentTime()
        return pb.Receipt(
            receipt_id=str(uuid.uuid4()),
            time=time,
            places=[
                pb.Receipt.Place(name="corpus", document_count=document_count, passage_count=passage_count),
                pb.Receipt.Place(name="cache", entry_count=entry_count),
                pb.Receipt.Place(name="ledger", entry_count=record_count),
            ],
        )


def _name(*parts: str) -> str:
    """The name of an erasure: the same call has the same, and it tells nothing of whom it is about."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=20).hexdigest()
