"""Wire to domain and back."""

from collections import Counter
from datetime import UTC

import numpy as np

from scic import errors
from scic.selector.v1 import selector_service_pb2 as pb
from scic.type.v1 import passage_pb2, score_pb2, source_pb2, span_pb2, trust_pb2
from services.selector.caller import Caller
from services.selector.passage import Document, IndexedDocument, Passage, SourceKind, TrustLabel
from services.selector.query import (
    Condition,
    CorpusStats,
    Recency,
    ScoredPassage,
    Scores,
    Selection,
    SourceQuery,
)

_KINDS = {
    source_pb2.SOURCE_KIND_DOCS: SourceKind.DOCS,
    source_pb2.SOURCE_KIND_CODE: SourceKind.CODE,
    source_pb2.SOURCE_KIND_HISTORY: SourceKind.HISTORY,
}
_WIRE_KINDS = {kind: wire for wire, kind in _KINDS.items()}
_TRUST = {
    trust_pb2.TRUST_LABEL_UNSPECIFIED: TrustLabel.UNTRUSTED,
    trust_pb2.TRUST_LABEL_UNTRUSTED: TrustLabel.UNTRUSTED,
    trust_pb2.TRUST_LABEL_TRUSTED: TrustLabel.TRUSTED,
}
_WIRE_TRUST = {
    TrustLabel.UNTRUSTED: trust_pb2.TRUST_LABEL_UNTRUSTED,
    TrustLabel.TRUSTED: trust_pb2.TRUST_LABEL_TRUSTED,
}


def source_queries(request: pb.SelectRequest) -> tuple[SourceQuery, ...]:
    """The sources to search."""
    return tuple(
        SourceQuery(
            source=source.source,
            kind=_KINDS[source.kind],
            limit=source.limit,
            everywhere=source.everywhere,
            recency=_recency(source.recency) if source.HasField("recency") else None,
            timeout=source.timeout.ToTimedelta().total_seconds() if source.HasField("timeout") else None,
        )
        for source in request.sources
    )


def conditions(request: pb.SelectRequest) -> tuple[Condition, ...]:
    """What a document must meet."""
    return tuple(Condition(condition.key, tuple(condition.any_of)) for condition in request.filter)


def caller(message: pb.Caller) -> Caller:
    """Who asks."""
    return Caller(frozenset(message.groups), message.sees_all)


def indexed_document(message: pb.IndexedDocument, dimension: int) -> IndexedDocument:
    """A document to store. Raises ScicError INVALID_FIELD where a vector is not of `dimension`."""
    record = message.record
    document = Document(
        document_id=record.document_id,
        source=record.source,
        kind=_KINDS[record.kind],
        title=record.title,
        content_type=record.content_type,
        content_hash=record.content_hash,
        size=record.size_bytes,
        metadata=dict(record.metadata),
        created_at=record.create_time.ToDatetime(tzinfo=UTC) if record.HasField("create_time") else None,
        acl_groups=tuple(record.acl_groups),
        subjects=tuple(record.subjects),
        expires_at=record.expire_time.ToDatetime(tzinfo=UTC) if record.HasField("expire_time") else None,
        trust=_TRUST[record.trust],
    )
    passages = tuple(_passage(document, ordinal, item.passage) for ordinal, item in enumerate(message.passages))
    return IndexedDocument(document, passages, _vectors(message, dimension))


def document_record(document: Document) -> pb.DocumentRecord:
    """A stored document's record."""
    record = pb.DocumentRecord(
        document_id=document.document_id,
        source=document.source,
        kind=_WIRE_KINDS[document.kind],
        title=document.title,
        content_type=document.content_type,
        content_hash=document.content_hash,
        size_bytes=document.size,
        passage_count=document.passage_count,
        metadata=document.metadata,
        acl_groups=document.acl_groups,
        subjects=document.subjects,
        trust=_WIRE_TRUST[document.trust],
    )
    if document.created_at is not None:
        record.create_time.FromDatetime(document.created_at)
    if document.indexed_at is not None:
        record.index_time.FromDatetime(document.indexed_at)
    if document.expires_at is not None:
        record.expire_time.FromDatetime(document.expires_at)
    return record


def scored_passage(found: ScoredPassage) -> pb.ScoredPassage:
    """A passage that was found; without its text where it is a duplicate."""
    passage, document = found.passage, found.passage.document
    duplicate = found.duplicate_of is not None
    message = pb.ScoredPassage(
        passage=passage_pb2.Passage(
            passage_id=passage.passage_id,
            document_id=document.document_id,
            source=document.source,
            kind=_WIRE_KINDS[document.kind],
            title_path=passage.title_path,
            text="" if duplicate else passage.text,
            span=span_pb2.Span(start=passage.start, end=passage.end),
            metadata=document.metadata,
            prepared=b"" if duplicate else passage.prepared,
            trust=_WIRE_TRUST[document.trust],
            sensitive=b"" if duplicate else passage.sensitive,
            content_hash=document.content_hash,
        ),
        score=_score(found.scores),
        duplicate_of=found.duplicate_of or "",
        found_by=found.found_by,
    )
    if document.created_at is not None:
        message.passage.create_time.FromDatetime(document.created_at)
    return message


def source_outcomes(selection: Selection) -> list[pb.SourceOutcome]:
    """How each source did."""
    counts = Counter(found.found_by for found in selection.passages)
    outcomes = []
    for source in selection.sources:
        outcome = pb.SourceOutcome(
            source=source.source, passage_count=counts[source.source], error_reason=source.error_reason
        )
        outcome.duration.FromNanoseconds(int(source.seconds * 1e9))
        outcomes.append(outcome)
    return outcomes


def stats(found: CorpusStats) -> pb.GetStatsResponse:
    """Counts."""
    response = pb.GetStatsResponse(
        sources=[
            pb.SourceStats(
                source=source.source,
                document_count=source.document_count,
                passage_count=source.passage_count,
                size_bytes=source.size,
            )
            for source in found.sources
        ],
        corpus_version=found.corpus_version,
        embedding_model=found.model.model_id if found.model else "",
    )
    if found.reindexing is not None:
        response.reindexing.embedding_model = found.reindexing.model.model_id
        response.reindexing.done_count = found.reindexing.done
        response.reindexing.total_count = found.reindexing.total
    return response


def _recency(message: pb.Recency) -> Recency:
    return Recency(message.half_life.ToTimedelta(), message.weight)


def _score(scores: Scores) -> score_pb2.Score:
    return score_pb2.Score(
        value=scores.value,
        lexical=scores.lexical,
        dense=scores.dense,
        lexical_part=scores.lexical_part,
        dense_part=scores.dense_part,
        recency=scores.recency,
        novelty=scores.novelty,
    )


def _passage(document: Document, ordinal: int, message: passage_pb2.Passage) -> Passage:
    return Passage(
        document=document,
        ordinal=ordinal,
        title_path=tuple(message.title_path),
        text=message.text,
        start=message.span.start,
        end=message.span.end,
        prepared=message.prepared,
        sensitive=message.sensitive,
    )


def _vectors(message: pb.IndexedDocument, dimension: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    for index, item in enumerate(message.passages):
        if len(item.vector) != 4 * dimension:
            raise errors.INVALID_FIELD.error(
                f"a vector of {len(item.vector)} bytes; {dimension} floats are expected",
                field_violations=[(f"passages[{index}].vector", f"must have {4 * dimension} bytes")],
            )
    joined = b"".join(item.vector for item in message.passages)
    return np.frombuffer(joined, "<f4").astype(np.float32, copy=False).reshape(-1, dimension)
