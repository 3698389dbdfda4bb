"""Stand-ins behind the gateway's ports: small, honest, and able to be away."""

from dataclasses import dataclass, field

import numpy as np

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import message_pb2, passage_pb2, source_pb2, span_pb2
from services.composer.evidence import Evidence
from services.composer.prompt import Role, compose
from services.composer.servicer import SECTIONS
from services.gateway.ports import CacheEntry, CacheLookup, CacheUnavailableError
from services.gateway.stage_error import StageError
from services.text.tokens import encoding_for

UNIT = np.eye(1, 4, dtype="<f4").tobytes()


@dataclass
class FakeSelector:
    """Finds every stored passage of the sources asked for, in the order of their ids."""

    away: bool = False
    version: int = 0
    documents: dict[tuple[str, str], selector.IndexedDocument] = field(default_factory=dict)
    timeouts: list[float] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def _enter(self, name: str, timeout: float) -> None:
        self.calls.append(name)
        self.timeouts.append(timeout)
        if self.away:
            raise StageError("selector", "STAGE_UNAVAILABLE")

    async def select(self, request, *, timeout):
        self._enter("select", timeout)
        wanted = {source.source for source in request.sources}
        found = [
            selector.ScoredPassage(passage=item.passage, score=0.5)
            for (tenant, _), document in sorted(self.documents.items())
            if tenant == request.tenant and document.record.source in wanted
            for item in document.passages
        ]
        return selector.SelectResponse(passages=found, question_vector=UNIT, corpus_version=self.version)

    async def index(self, request, *, timeout):
        self._enter("index", timeout)
        self.version += 1
        for document in request.documents:
            self.documents[request.tenant, document.record.document_id] = document
        return selector.IndexResponse(corpus_version=self.version)

    async def delete(self, request, *, timeout):
        self._enter("delete", timeout)
        keys = [(request.tenant, name) for name in request.document_ids]
        gone = [key[1] for key in keys if self.documents.pop(key, None)]
        self.version += bool(gone)
        return selector.DeleteResponse(deleted_document_ids=gone, corpus_version=self.version)

    async def find_unchanged(self, request, *, timeout):
        self._enter("find_unchanged", timeout)
        response = selector.FindUnchangedResponse()
        for item in request.fingerprints:
            stored = self.documents.get((request.tenant, item.document_id))
            if stored and stored.record.content_hash == item.content_hash:
                response.unchanged.add(document_id=item.document_id, passage_count=len(stored.passages))
        return response

    async def get_document(self, request, *, timeout):
        raise NotImplementedError

    async def list_documents(self, request, *, timeout):
        raise NotImplementedError

    async def get_corpus_version(self, request, *, timeout):
        self._enter("get_corpus_version", timeout)
        return selector.GetCorpusVersionResponse(corpus_version=self.version)

    def store(self, tenant: str, document_id: str, *texts: str, source: str = "docs") -> None:
        """Puts a document in without a call."""
        self.version += 1
        record = selector.DocumentRecord(document_id=document_id, source=source)
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
                    )
                )
                for ordinal, text in enumerate(texts)
            ],
        )


@dataclass
class FakeCompressor:
    """Keeps the first half of every passage."""

    away: bool = False
    prepared: list[str] = field(default_factory=list)
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
        return compressor.CompressResponse(
            passages=[
                compressor.CompressedPassage(
                    index=index,
                    spans=[span_pb2.Span(start=0, end=max(1, len(passage.text) // 2))],
                    token_count=1,
                    original_token_count=2,
                )
                for index, passage in enumerate(request.passages)
            ]
        )


@dataclass
class FakeComposer:
    """The composer's own domain, without a wire."""

    away: bool = False
    timeouts: list[float] = field(default_factory=list)

    async def compose(self, request, *, timeout):
        self.timeouts.append(timeout)
        if self.away:
            raise StageError("composer", "STAGE_UNAVAILABLE")
        evidence = [Evidence(tuple(e.title_path), e.source, tuple(e.pieces), request.gap) for e in request.evidence]
        prompt = compose(
            instructions=request.instructions,
            conversation=[(Role.USER, turn.text) for turn in request.conversation],
            evidence=evidence,
            question=request.question,
            max_tokens=request.max_tokens,
            encoding=encoding_for(request.encoding),
        )
        return composer.ComposeResponse(
            messages=[message_pb2.Message(role=message_pb2.ROLE_USER, content=m.content) for m in prompt.messages],
            evidence=[
                composer.ComposedEvidence(index=index, citation=index + 1, text=item.text)
                for index, item in enumerate(evidence[: prompt.evidence_count])
            ],
            sections=[
                message_pb2.SectionTokens(section=SECTIONS[section], token_count=count)
                for section, count in prompt.tokens.items()
            ],
            token_count=prompt.token_count,
        )


@dataclass
class FakeCache:
    """Keeps entries in a dictionary; a test ends a lease by removing the version."""

    away: bool = False
    entries: dict[tuple[str, str], CacheEntry] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def _enter(self) -> None:
        if self.away:
            raise CacheUnavailableError("away")

    async def lookup(self, tenant: str, fingerprint: str) -> CacheLookup:
        self._enter()
        return CacheLookup(self.entries.get((tenant, fingerprint)), self.versions.get(tenant))

    async def store(self, tenant: str, fingerprint: str, entry: CacheEntry) -> None:
        self._enter()
        self.entries[tenant, fingerprint] = entry
        self.versions[tenant] = max(entry.corpus_version, self.versions.get(tenant, 0))

    async def publish_version(self, tenant: str, corpus_version: int) -> None:
        self._enter()
        self.versions[tenant] = max(corpus_version, self.versions.get(tenant, 0))
