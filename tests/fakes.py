"""Stand-ins behind the gateway's ports: small, honest, and able to be away."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from google.protobuf.duration_pb2 import Duration

from scic import errors
from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as ledger_pb
from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import compression_pb2, passage_pb2, retention_pb2, score_pb2, source_pb2, span_pb2
from services.gateway.building.fallback import plain_cut
from services.gateway.cache.packing import unpack
from services.gateway.callers.principal import Principal
from services.gateway.guard.detect import DetectorError, Detectors
from services.gateway.guard.guard import Guard
from services.gateway.guard.policy import SensitiveType
from services.gateway.guard.scan import scan_passage
from services.gateway.guard.sensitive import Sensitive
from services.gateway.profiles.ports import ResolvedProfile
from services.gateway.profiles.profile import Profile, default_profile
from services.gateway.recipes.recipe import Recipe, resolve
from services.gateway.sources.ladder import Ladder
from services.gateway.sources.source import BUILT_IN, Sources
from services.gateway.stages.stage_error import StageError
from services.prompt.wire import compose_response
from services.text.tokens import encoding_for
from tests.fake_cache import FakeSelections

UNIT = np.eye(1, 4, dtype="<f4").tobytes()
MOMENT = Duration(nanos=1_000_000)


def may_see(caller: selector.Caller, record: selector.DocumentRecord) -> bool:
    return caller.sees_all or not record.acl_groups or not set(caller.groups).isdisjoint(record.acl_groups)


@dataclass
class WordDetectors:
    """Finds given words, each of a type; raises where it is broken."""

    words: dict[str, SensitiveType] = field(default_factory=dict)
    broken: bool = False

    def find(self, text: str) -> list[Sensitive]:
        if self.broken:
            raise DetectorError("words", "ValueError")
        found = [Sensitive(kind, word) for word, kind in self.words.items() if word in text]
        return sorted(found, key=lambda one: -len(one.text))


@dataclass
class FakeSelector:
    """Finds every stored passage of the sources asked for, in the order of their ids."""

    away: bool | StageError = False
    """Whether it has no answer, or what it has instead."""
    broken: dict[str, str] = field(default_factory=dict)
    """Sources that fail, and why."""
    copies: dict[str, str] = field(default_factory=dict)
    """Passages that are found a second time, and their names there."""
    requests: list[selector.SelectRequest] = field(default_factory=list)
    version: int = 0
    documents: dict[tuple[str, str], selector.IndexedDocument] = field(default_factory=dict)
    timeouts: list[float] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    detectors: Detectors = field(default_factory=WordDetectors)
    """What looks through the passages that `store` puts in."""

    def _enter(self, name: str, timeout: float) -> None:
        self.calls.append(name)
        self.timeouts.append(timeout)
        if self.away:
            raise self.away if isinstance(self.away, StageError) else StageError("selector", "STAGE_UNAVAILABLE")

    def _visible(self, request) -> dict[str, selector.IndexedDocument]:
        """The tenant's documents that exist for the caller, in the order of their ids."""
        return {
            name: document
            for (tenant, name), document in sorted(self.documents.items())
            if tenant == request.tenant and may_see(request.caller, document.record)
        }

    async def select(self, request, *, timeout):
        self._enter("select", timeout)
        self.requests.append(request)
        found = [
            selector.ScoredPassage(passage=item.passage, score=score_pb2.Score(value=0.5), found_by=query.source)
            for query in request.sources
            for document in self._visible(request).values()
            if query.source not in self.broken and (query.everywhere or document.record.source == query.source)
            for item in document.passages
        ]
        found += [
            selector.ScoredPassage(
                passage=passage_pb2.Passage(passage_id=self.copies[one.passage.passage_id]),
                duplicate_of=one.passage.passage_id,
                found_by=one.found_by,
            )
            for one in found
            if one.passage.passage_id in self.copies
        ]
        outcomes = [
            selector.SourceOutcome(source=query.source, error_reason=self.broken.get(query.source, ""), duration=MOMENT)
            for query in request.sources
        ]
        return selector.SelectResponse(
            passages=found, question_vector=UNIT, corpus_version=self.version, sources=outcomes
        )

    async def index(self, request, *, timeout):
        self._enter("index", timeout)
        names = [(request.tenant, document.record.document_id) for document in request.documents]
        replaced = [self.documents[name].record for name in names if name in self.documents]
        if not all(may_see(request.caller, record) for record in replaced):
            raise errors.DOCUMENT_FORBIDDEN.error("no", field_violations=[("documents", "no")])
        self.version += 1
        self.documents.update(zip(names, request.documents, strict=True))
        return selector.IndexResponse(
            corpus_version=self.version, replaced_count=len(replaced), previous_version=self.version - 1
        )

    async def delete(self, request, *, timeout):
        self._enter("delete", timeout)
        visible = self._visible(request)
        gone = [name for name in request.document_ids if name in visible]
        passages = sum(len(self.documents.pop((request.tenant, name)).passages) for name in gone)
        self.version += bool(gone)
        return selector.DeleteResponse(
            deleted_document_ids=gone,
            corpus_version=self.version,
            passage_count=passages,
            previous_version=self.version - bool(gone),
        )

    async def erase(self, request, *, timeout):
        self._enter("erase", timeout)
        gone = [
            name
            for name, document in sorted(self.documents.items())
            if name[0] == request.tenant and (request.everything or request.subject in document.record.subjects)
        ]
        passages = sum(len(self.documents.pop(name).passages) for name in gone)
        self.version += 1
        return selector.EraseResponse(
            deleted_document_ids=[name for _, name in gone],
            document_count=len(gone),
            passage_count=passages,
            corpus_version=self.version,
            previous_version=self.version - 1,
        )

    async def find_unchanged(self, request, *, timeout):
        self._enter("find_unchanged", timeout)
        response = selector.FindUnchangedResponse(corpus_version=self.version)
        visible = self._visible(request)
        for item in request.fingerprints:
            stored = visible.get(item.document_id)
            if stored and stored.record.content_hash == item.content_hash:
                response.unchanged.add(document_id=item.document_id, passage_count=len(stored.passages))
        return response

    async def get_document(self, request, *, timeout):
        self._enter("get_document", timeout)
        document = self._visible(request).get(request.document_id)
        if document is None:
            raise errors.DOCUMENT_NOT_FOUND.error("no")
        return selector.GetDocumentResponse(record=document.record)

    async def list_documents(self, request, *, timeout):
        self._enter("list_documents", timeout)
        records = [document.record for document in self._visible(request).values()]
        return selector.ListDocumentsResponse(
            records=[record for record in records if request.source in {"", record.source}]
        )

    async def get_stats(self, request, *, timeout):
        self._enter("get_stats", timeout)
        response = selector.GetStatsResponse(corpus_version=self.version, embedding_model="fake")
        visible = list(self._visible(request).values())
        for source in sorted({document.record.source for document in visible}):
            documents = [document for document in visible if document.record.source == source]
            response.sources.add(
                source=source,
                document_count=len(documents),
                passage_count=sum(len(document.passages) for document in documents),
                size_bytes=sum(document.record.size_bytes for document in documents),
            )
        return response

    async def get_corpus_version(self, request, *, timeout):
        self._enter("get_corpus_version", timeout)
        return selector.GetCorpusVersionResponse(corpus_version=self.version)

    def store(
        self,
        tenant: str,
        document_id: str,
        *texts: str,
        source: str = "docs",
        groups: Sequence[str] = (),
        subjects: Sequence[str] = (),
    ) -> None:
        """Puts a document in without a call."""
        self.version += 1
        record = selector.DocumentRecord(document_id=document_id, source=source, acl_groups=groups, subjects=subjects)
        self.documents[tenant, document_id] = selector.IndexedDocument(
            record=record,
            passages=[
                selector.IndexedPassage(
                    passage=passage_pb2.Passage(
                        passage_id=f"{document_id}#{ordinal}",
                        document_id=document_id,
                        source=source,
                        kind=source_pb2.SOURCE_KIND_DOCS,
                        title_path=[document_id],
                        text=text,
                        span=span_pb2.Span(start=100 * ordinal, end=100 * ordinal + len(text)),
                        sensitive=scan_passage(self.detectors, [document_id], text, {}),
                    )
                )
                for ordinal, text in enumerate(texts)
            ],
        )


@dataclass
class FakeCompressor:
    """Keeps the first half of every passage."""

    away: bool = False
    drops: compressor.CompressedPassage.Reason.ValueType = compressor.CompressedPassage.REASON_UNSPECIFIED
    """Why it drops everything, if it does."""
    prepared: list[str] = field(default_factory=list)
    requests: list[compressor.CompressRequest] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    async def prepare(self, request, *, timeout):
        if self.away:
            raise StageError("compressor", "STAGE_UNAVAILABLE")
        self.prepared += [passage.text for passage in request.passages]
        return compressor.PrepareResponse(
            passages=[compressor.PreparedPassage(prepared=p.text.encode(), vector=UNIT) for p in request.passages],
            embedding_model="fake",
        )

    async def compress(self, request, *, timeout):
        self.timeouts.append(timeout)
        if self.away:
            raise StageError("compressor", "DEADLINE_EXCEEDED")
        self.requests.append(compressor.CompressRequest.FromString(request.SerializeToString()))
        response, encoding = compressor.CompressResponse(), encoding_for(request.encoding)
        for index, passage in enumerate(request.passages):
            if self.drops:
                response.passages.add(index=index, reason=self.drops, original_token_count=1)
                continue
            half = passage.text[: max(1, len(passage.text) // 2)]
            tokens, original = encoding.count_batch([f"{half}\n", f"{passage.text}\n"])
            response.passages.add(
                index=index,
                spans=[span_pb2.Span(start=0, end=len(half))],
                text=half,
                token_count=tokens,
                original_token_count=original,
                reason=compressor.CompressedPassage.REASON_BEST_UNITS,
                kept_pins=1,
                dropped_pins=2,
            )
            title = " > ".join(passage.title_path)
            response.token_count += tokens + encoding.count(f"{title}\n" if title else "") + request.overhead_tokens
        response.decision.level = compression_pb2.COMPRESSION_LEVEL_MEDIUM
        response.decision.token_count = response.token_count
        response.retention.pins.add(type=retention_pb2.PIN_TYPE_NUMBER, kept=len(request.passages))
        return response


@dataclass
class PlainCompressor(FakeCompressor):
    """Keeps whole passages in their order, as many as fit: honest to the token, and easy to foresee."""

    fails: int = 0
    """Calls of Prepare that fail."""

    async def prepare(self, request, *, timeout):
        if self.fails:
            self.fails -= 1
            raise StageError("compressor", "DEADLINE_EXCEEDED")
        return await super().prepare(request, timeout=timeout)

    async def compress(self, request, *, timeout):
        self.timeouts.append(timeout)
        if self.away:
            raise StageError("compressor", "DEADLINE_EXCEEDED")
        self.requests.append(compressor.CompressRequest.FromString(request.SerializeToString()))
        within = compressor.CompressRequest()
        within.CopyFrom(request)
        within.max_tokens = request.target_tokens or request.max_tokens
        return plain_cut(within, encoding_for(request.encoding))


@dataclass
class FakeComposer:
    """The composer's own domain, without a wire."""

    away: bool = False
    timeouts: list[float] = field(default_factory=list)
    requests: list[composer.ComposeRequest] = field(default_factory=list)

    async def compose(self, request, *, timeout):
        self.timeouts.append(timeout)
        if self.away:
            raise StageError("composer", "STAGE_UNAVAILABLE")
        self.requests.append(request)
        return compose_response(request, encoding_for(request.encoding))


@dataclass
class FakeLedger:
    """Keeps records in a list."""

    keeps: bool = True
    away: bool = False
    records: list[tuple[str, ledger_pb.Record]] = field(default_factory=list)
    begun: set[tuple[str, str]] = field(default_factory=set)
    """Erasures that have begun and not ended."""

    def record(self, principal: Principal, record: ledger_pb.Record, common: bytes = b"") -> None:
        kept = ledger_pb.Record()
        kept.CopyFrom(record)
        if common:
            whole = context.BuildContextResponse.FromString(unpack(common))
            whole.MergeFrom(record.response)
            kept.response.CopyFrom(whole)
        self.records.append((principal.tenant, kept))

    async def get(self, principal: Principal, record_id: str) -> ledger_pb.Record:
        for tenant, record in reversed(self.records):
            if tenant == principal.tenant and record_id in {record.record_id, record.request.request_id}:
                return record
        raise errors.RECORD_NOT_FOUND.error("no such record", field_violations=[("record_id", "must be a record")])

    async def list(self, principal: Principal, request: ledger_pb.ListRecordsRequest) -> ledger_pb.ListRecordsResponse:
        return ledger_pb.ListRecordsResponse(
            records=[
                ledger_pb.RecordSummary(record_id=record.record_id, request_id=record.request.request_id)
                for tenant, record in reversed(self.records)
                if tenant == principal.tenant
            ]
        )

    async def begin_erasure(self, tenant: str, name: str) -> bool:
        begun = (tenant, name) in self.begun
        self.begun.add((tenant, name))
        return begun

    async def end_erasure(self, tenant: str, name: str) -> None:
        self.begun.discard((tenant, name))

    async def erase_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        return self._erase(lambda owner, record: owner == tenant and not set(document_ids).isdisjoint(_named(record)))

    async def erase_tenant(self, tenant: str) -> int:
        return self._erase(lambda owner, _: owner == tenant)

    def _erase(self, goes: Callable[[str, ledger_pb.Record], bool]) -> int:
        if self.away:
            raise errors.STORAGE_UNAVAILABLE.error("away")
        before = len(self.records)
        self.records = [one for one in self.records if not goes(*one)]
        return before - len(self.records)


@dataclass
class FakeJobs:
    """Jobs by the documents that they hold."""

    away: bool = False
    held: list[tuple[str, str, str]] = field(default_factory=list)
    """Tenant, document and subject of each job."""

    def _erase(self, goes: Callable[[str, str, str], bool]) -> int:
        if self.away:
            raise errors.QUEUE_UNAVAILABLE.error("away")
        before = len(self.held)
        self.held = [one for one in self.held if not goes(*one)]
        return before - len(self.held)

    async def erase_documents(self, tenant: str, document_ids: Sequence[str], subject: str) -> int:
        return self._erase(
            lambda owner, name, of: owner == tenant and (name in document_ids or (bool(subject) and of == subject))
        )

    async def erase_tenant(self, tenant: str) -> int:
        return self._erase(lambda owner, *_: owner == tenant)


def _named(record: ledger_pb.Record) -> set[str]:
    response = record.response
    return {*(one.document_id for one in response.evidence), *(one.document_id for one in response.dropped)}


@dataclass
class OneProfile:
    """Every request follows the same profile, whatever it names."""

    profile: Profile
    label: str = "live"
    variant: Literal["main", "canary", "pinned"] = "main"
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def resolve(self, tenant: str, reference: str, unit: str) -> ResolvedProfile:
        self.asked.append((tenant, reference, unit))
        return ResolvedProfile(self.profile, self.label, self.variant)


def recipe_of(
    request: context.BuildContextRequest, profile: Profile | None = None, detectors: Detectors | None = None
) -> Recipe:
    """A resolved request; by default of the built-in profile, and nothing is found in it."""
    profile = profile or default_profile("gpt-4o")
    screen = Guard(detectors or WordDetectors()).screen(profile.guard)
    return resolve(request, ResolvedProfile(profile, "", "main"), screen)


def ladder_of(
    selector_stage: FakeSelector,
    spawn: Callable[[Coroutine[Any, Any, None]], None],
    *,
    backup: FakeSelector | None = None,
    cache: FakeSelections | None = None,
    sources: Sources = BUILT_IN,
) -> Ladder:
    """A ladder over the fakes; its backup is the selector itself, its cache empty, unless given."""
    return Ladder(
        selector_stage=selector_stage,
        backup=backup or selector_stage,
        cache=cache or FakeSelections(),
        sources=sources,
        spawn=spawn,
    )
