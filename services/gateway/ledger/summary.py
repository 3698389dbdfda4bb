"""What a record says in a line, and which documents it names."""

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.cache.documents import documents_of
from services.gateway.ledger.entry import document_digest

_QUESTION_CHARACTERS = 200


def summarise(record: pb.Record) -> pb.RecordSummary:
    """The record in a line."""
    request, response = record.request, record.response
    failed = record.HasField("error")
    return pb.RecordSummary(
        record_id=record.record_id,
        request_id=request.request_id or response.request_id,
        create_time=record.create_time,
        key_id=record.key_id,
        question=request.question[:_QUESTION_CHARACTERS],
        profile=response.profile or request.profile,
        profile_version=response.profile_version,
        model=response.model or request.model,
        cache=response.cache,
        token_count=response.tokens.total,
        max_tokens=response.tokens.max_tokens or request.max_tokens,
        evidence_count=len(response.evidence),
        dropped_count=len(response.dropped),
        degraded=bool(response.degradations),
        error_reason=errors.from_status(record.error).reason if failed else "",
        duration=record.duration,
    )


def named_documents(response: context.BuildContextResponse) -> tuple[str, ...]:
    """Digests of all documents of which something is evidence or was a candidate, each once, in order."""
    return tuple(sorted(map(document_digest, documents_of(response))))
