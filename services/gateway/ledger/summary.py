"""What a record says in a line, and which documents it names."""

from dataclasses import dataclass

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.cache.documents import documents_of
from services.gateway.ledger.entry import document_digest

_QUESTION_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """What headers say of a reply."""

    summary: pb.RecordSummary
    """A line without what is the request's."""

    documents: tuple[str, ...]
    """Digests of all documents of which something is evidence or was a candidate, each once, in order."""


def facts_of(response: context.BuildContextResponse) -> Facts:
    """The facts of a reply."""
    summary = pb.RecordSummary(
        profile=response.profile,
        profile_version=response.profile_version,
        model=response.model,
        token_count=response.tokens.total,
        max_tokens=response.tokens.max_tokens,
        evidence_count=len(response.evidence),
        dropped_count=len(response.dropped),
        degraded=bool(response.degradations),
    )
    return Facts(summary, tuple(sorted(map(document_digest, documents_of(response)))))


def summarise(record: pb.Record, facts: Facts) -> pb.RecordSummary:
    """The record, whose reply has these facts, in a line."""
    request, response = record.request, record.response
    failed = record.HasField("error")
    line = pb.RecordSummary(
        record_id=record.record_id,
        request_id=request.request_id or response.request_id,
        create_time=record.create_time,
        key_id=record.key_id,
        question=request.question[:_QUESTION_CHARACTERS],
        profile=request.profile,
        model=request.model,
        cache=response.cache,
        max_tokens=request.max_tokens,
        error_reason=errors.from_status(record.error).reason if failed else "",
        duration=record.duration,
    )
    line.MergeFrom(facts.summary)  # what the reply says holds over what was asked
    return line
