"""Removes documents from every place that holds something of them, and says so."""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.deadline import Deadline
from services.chassis.logs import get_logger
from services.gateway.cache.ports import CacheUnavailableError, ContextCache, CorpusChange
from services.gateway.callers.caller import caller_of
from services.gateway.callers.principal import Principal
from services.gateway.corpus.announcer import Announcer
from services.gateway.jobs.erasable import ErasableJobs
from services.gateway.ledger.ports import Ledger
from services.gateway.profiles.ports import ErasableProfiles
from services.gateway.stages.ports import Selector
from services.gateway.stages.stage_error import StageError, unavailable

_log = get_logger(__name__)

_CALLED = {"jobs": "job queue", "corpus": "selector"}
"""Places whose name does not do in a sentence."""

_ALL = "all"
"""In place of a place: all of them."""


class UnfinishedErasureError(errors.ScicError):
    """The corpus holds nothing of it any more, `place` may: STAGE_UNAVAILABLE. The same call again goes on."""

    def __init__(self, place: str, document_count: int, passage_count: int) -> None:
        super().__init__(
            errors.STAGE_UNAVAILABLE.code,
            errors.STAGE_UNAVAILABLE.name,
            f"{document_count} documents with {passage_count} passages are gone from the corpus, but the "
            f"{_CALLED.get(place, place)} does not answer and may hold something of them; call again to empty it, too",
            metadata={"stage": place},
            retry_after=1.0,
        )


@dataclass(slots=True)
class _Removed:
    """What went from the corpus."""

    document_ids: list[str] = field(default_factory=list)
    document_count: int = 0
    passage_count: int = 0
    changes: list[tuple[int, int]] = field(default_factory=list)
    """Versions of the corpus before and after each write."""
    unlisted: bool = False
    """Whether there were more documents than the selector names."""

    def add(self, response: selector.EraseResponse) -> None:
        """Takes in what one write removed."""
        self.document_ids = list(dict.fromkeys([*self.document_ids, *response.deleted_document_ids]))
        self.document_count += response.document_count
        self.passage_count += response.passage_count
        self.changes.append((response.previous_version, response.corpus_version))
        self.unlisted |= response.document_count > len(response.deleted_document_ids)

    @property
    def corpus_version(self) -> int:
        """Version of the corpus without it."""
        return self.changes[-1][1]


@dataclass(frozen=True, slots=True)
class _Behind:
    """What is done behind the corpus."""

    again: Callable[[], Awaitable[selector.EraseResponse]]
    """Removes from the corpus once more."""
    jobs: Callable[[], Awaitable[int]]
    cache: Callable[[tuple[int, int]], Awaitable[int]]
    """Of a write's versions, before and after it."""
    ledger: Callable[[], Awaitable[int]]
    missed: Callable[[tuple[int, int]], CorpusChange]
    """What is announced where the cache is away."""
    unfinished: bool
    """Whether a call before broke off: jobs that it ended may have stored something since."""
    marks: Mapping[str, str]
    """Notes in the ledger, by the place, or by `_ALL`, whose emptying ends them."""


class Erasure:
    """Deletes documents, forgets subjects and tenants: in the corpus, in jobs, in the cache, in the ledger; of a tenant
    its profiles, too.

    In that order, since a reply that is built in between is made of the old corpus: jobs, cache and ledger refuse it.
    Where jobs held something, one of them may have stored it between the first two: then the corpus is emptied
    again, when their workers have stopped. Raises STAGE_UNAVAILABLE where a place does not answer.
    """

    def __init__(
        self,
        selector_stage: Selector,
        cache: ContextCache,
        announcer: Announcer,
        jobs: ErasableJobs,
        ledger: Ledger,
        profiles: ErasableProfiles,
    ) -> None:
        self._selector = selector_stage
        self._profiles = profiles
        self._cache = cache
        self._announcer = announcer
        self._jobs = jobs
        self._ledger = ledger

    async def delete(
        self, principal: Principal, request: pb.DeleteDocumentsRequest, deadline: Deadline
    ) -> pb.DeleteDocumentsResponse:
        """Deletes documents that the caller may see."""
        tenant = principal.tenant
        erasure = _name("documents", *sorted(set(request.document_ids)))
        # Where nobody remembers what broke off, every call may be one that goes on.
        unfinished = await self._begin(tenant, erasure) or not self._ledger.keeps
        removed = _Removed()
        removed.add(await self._delete(tenant, request.document_ids, caller_of(principal), deadline))
        # One that is another's is still there, and so is all that is made of it.
        gone = await self._gone(tenant, request.document_ids, deadline) if unfinished else []
        erased = list(dict.fromkeys([*removed.document_ids, *gone]))

        def change(versions: tuple[int, int]) -> CorpusChange:
            return CorpusChange(*versions, erased)

        behind = _Behind(
            # Whoever may see what a job has stored in their place.
            again=lambda: self._delete(tenant, erased, selector.Caller(sees_all=True), deadline),
            jobs=lambda: self._jobs.erase_documents(tenant, erased, ""),
            cache=lambda versions: self._cache.erase_documents(tenant, change(versions)),
            ledger=lambda: self._ledger.erase_documents(tenant, erased),
            missed=change,
            unfinished=unfinished,
            marks={_ALL: erasure},
        )
        receipt = await self._empty(tenant, removed, behind)
        return pb.DeleteDocumentsResponse(
            deleted_document_ids=removed.document_ids, receipt=receipt, corpus_version=removed.corpus_version
        )

    async def erase_subject(
        self, principal: Principal, request: pb.EraseSubjectRequest, deadline: Deadline
    ) -> pb.EraseSubjectResponse:
        """Erases every document of the tenant that carries a subject.

        Without a ledger nobody remembers the names of documents whose erasure broke off: what jobs have made of them
        goes when its time is over, unless it is the first call that gets through.
        """
        tenant = principal.tenant
        # Noted apart, so that a cache that was away does not cost the tenant its ledger.
        marks = {place: _name(place, "of subject", request.subject) for place in ("jobs", "cache", "ledger")}
        unfinished = {place for place, mark in marks.items() if await self._begin(tenant, mark)}
        removed = _Removed()
        command = selector.EraseRequest(tenant=tenant, subject=request.subject)
        removed.add(await self._erase(command, deadline))

        # Of an erasure that goes on, or of more than the 1,000 documents that the selector lists, nobody knows all
        # names: then nothing can be told to be free of the subject.
        def change(versions: tuple[int, int]) -> CorpusChange:
            forgotten = "cache" in unfinished or (not self._ledger.keeps and not removed.document_count)
            return CorpusChange(*versions, removed.document_ids, unnamed=forgotten or removed.unlisted)

        async def erase_jobs() -> int:
            if "jobs" in unfinished or removed.unlisted:
                return await self._jobs.erase_tenant(tenant)
            return await self._jobs.erase_documents(tenant, removed.document_ids, request.subject)

        async def erase_records() -> int:
            if "ledger" in unfinished or removed.unlisted:
                return await self._ledger.erase_tenant(tenant)
            return await self._ledger.erase_documents(tenant, removed.document_ids)

        behind = _Behind(
            again=lambda: self._erase(command, deadline),
            jobs=erase_jobs,
            cache=lambda versions: self._cache.erase_documents(tenant, change(versions)),
            ledger=erase_records,
            missed=change,
            unfinished=bool(unfinished) or not self._ledger.keeps,
            marks=marks,
        )
        receipt = await self._empty(tenant, removed, behind)
        await self._cache.forget_history()
        return pb.EraseSubjectResponse(deleted_document_ids=removed.document_ids, receipt=receipt)

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
        removed = _Removed()
        command = selector.EraseRequest(tenant=tenant, everything=True)
        removed.add(await self._erase(command, deadline))
        behind = _Behind(
            again=lambda: self._erase(command, deadline),
            jobs=lambda: self._jobs.erase_tenant(tenant),
            cache=lambda versions: self._cache.erase_tenant(tenant, versions[1]),
            ledger=lambda: self._ledger.erase_tenant(tenant),
            missed=lambda versions: CorpusChange(*versions, unnamed=True),
            # It is not noted whether one broke off.
            unfinished=True,
            marks={},
        )
        receipt = await self._empty(tenant, removed, behind)
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

    async def _delete(
        self, tenant: str, document_ids: Sequence[str], caller: selector.Caller, deadline: Deadline
    ) -> selector.EraseResponse:
        """Deletes; the reply is that of an erasure."""
        command = selector.DeleteRequest(tenant=tenant, document_ids=document_ids, caller=caller)
        try:
            response = await self._selector.delete(command, timeout=deadline.remaining())
        except StageError as error:
            await self._forget_cached(tenant)
            raise unavailable(error) from error
        return selector.EraseResponse(
            deleted_document_ids=response.deleted_document_ids,
            document_count=len(response.deleted_document_ids),
            passage_count=response.passage_count,
            corpus_version=response.corpus_version,
            previous_version=response.previous_version,
        )

    async def _erase(self, command: selector.EraseRequest, deadline: Deadline) -> selector.EraseResponse:
        try:
            return await self._selector.erase(command, timeout=deadline.remaining())
        except StageError as error:
            await self._forget_cached(command.tenant)
            raise unavailable(error) from error

    async def _forget_cached(self, tenant: str) -> None:
        """Empties the cache where the selector's answer was lost: it may have removed what entries are made of.

        Which version that made nobody knows here. It is a change that goes by unheard, as the cache finds out within
        seconds; until then nothing of what was there, or was being built, is left.
        """
        try:
            await self._cache.flush(tenant)
        except CacheUnavailableError as error:
            _log.warning("cache_not_emptied", error=str(error))

    async def _empty_cache(self, tenant: str, behind: _Behind, versions: tuple[int, int]) -> int:
        try:
            return await behind.cache(versions)
        except CacheUnavailableError:
            # Until the caller comes back, what is left in the cache is at least never used again.
            self._announcer.announce_later(tenant, behind.missed(versions))
            raise

    async def _empty_jobs(self, removed: _Removed, behind: _Behind, away: list[tuple[str, Exception]]) -> int:
        """Empties jobs, and the corpus of what one of them may have stored since; notes who does not answer."""
        job_count = 0
        try:
            job_count = await behind.jobs()
        except errors.ScicError as error:
            away.append(("jobs", error))
        if job_count or behind.unfinished:
            try:
                removed.add(await behind.again())
            except errors.ScicError as error:
                away.append(("corpus", error))
        return job_count

    async def _empty(self, tenant: str, removed: _Removed, behind: _Behind) -> pb.Receipt:
        """Empties jobs, cache and ledger of what was removed from the corpus, and says what was removed from where.

        Where one is away the next is emptied all the same: only this call knows the names of what was removed.
        """
        away: list[tuple[str, Exception]] = []
        entry_count = record_count = 0
        job_count = await self._empty_jobs(removed, behind, away)
        for versions in removed.changes:
            try:
                entry_count += await self._empty_cache(tenant, behind, versions)
            except CacheUnavailableError as error:
                away.append(("cache", error))
        try:
            record_count = await behind.ledger()
        except errors.ScicError as error:
            away.insert(0, ("ledger", error))
        try:
            for place, mark in behind.marks.items():
                if not away if place == _ALL else place not in dict(away):
                    await self._ledger.end_erasure(tenant, mark)
        except errors.ScicError as error:
            away.insert(0, ("ledger", error))
        if away:
            place, cause = away[0]
            raise UnfinishedErasureError(place, removed.document_count, removed.passage_count) from cause
        time = Timestamp()
        time.GetCurrentTime()
        return pb.Receipt(
            receipt_id=str(uuid.uuid4()),
            time=time,
            places=[
                pb.Receipt.Place(
                    name="corpus", document_count=removed.document_count, passage_count=removed.passage_count
                ),
                pb.Receipt.Place(name="cache", entry_count=entry_count),
                pb.Receipt.Place(name="jobs", entry_count=job_count),
                pb.Receipt.Place(name="ledger", entry_count=record_count),
            ],
        )


def _name(*parts: str) -> str:
    """The name of an erasure: the same call has the same, and it tells nothing of whom it is about."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=20).hexdigest()
