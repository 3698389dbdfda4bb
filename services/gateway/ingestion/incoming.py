"""A document as it came, checked and read."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.type.v1 import source_pb2, trust_pb2
from services.chassis.interceptors.validation import check
from services.gateway.callers.principal import Principal
from services.gateway.chunking import FORMATS, ChunkingError, SourceDocument, format_of
from services.gateway.sources.source import Source, Sources

_DEFAULT_CONTENT_TYPE = "text/plain"

_FIRST_SECOND, _LAST_SECOND, _NANOS = -62_135_596_800, 253_402_300_799, 1_000_000_000
"""What a Timestamp may hold."""

_PIPELINE = b"4 "
"""Counts up when chunking, preparation or the guard change what they make of a document: no longer is it unchanged."""


@dataclass(frozen=True, slots=True)
class IncomingDocument:
    """A document that can be chunked."""

    index: int
    """Position in the stream."""

    input: pb.DocumentInput
    document: SourceDocument
    source: str
    kind: source_pb2.SourceKind.ValueType
    content_hash: str
    """Over all that was sent and how far it is trusted, and nothing else: a retention that is counted from now would
    never hash alike."""

    expire_time: Timestamp | None
    trust: trust_pb2.TrustLabel.ValueType


def read(index: int, request: pb.IngestDocumentsRequest, principal: Principal, sources: Sources) -> IncomingDocument:
    """Checks and reads one document. Raises ScicError, naming the field, where it cannot be taken."""
    check(request)
    sent = request.document
    _check_groups(sent, principal)
    _check_times(sent)
    content_type = sent.content_type or _DEFAULT_CONTENT_TYPE
    kind = _kind(content_type)
    source = sources.find(sent.source or kind, field="document.source")
    trust = _trust(sent, source, principal)
    hashed = b"%s%d " % (_PIPELINE, trust) + sent.SerializeToString(deterministic=True)
    return IncomingDocument(
        index=index,
        input=sent,
        document=SourceDocument(
            document_id=sent.document_id, title=sent.title, content_type=content_type, content=sent.content
        ),
        source=source.name,
        kind=source.kind,
        expire_time=_expire_time(sent, source),
        content_hash=hashlib.sha256(hashed).hexdigest(),
        trust=trust,
    )


def _check_groups(sent: pb.DocumentInput, principal: Principal) -> None:
    """Nobody writes what he could not see afterwards."""
    if sent.acl_groups and not principal.sees_all and principal.groups.isdisjoint(sent.acl_groups):
        raise errors.DOCUMENT_FORBIDDEN.error(
            "the document lists groups, but none that the API key is in",
            field_violations=[("document.acl_groups", "must name at least one group of the API key")],
        )


def _trust(sent: pb.DocumentInput, source: Source, principal: Principal) -> trust_pb2.TrustLabel.ValueType:
    """Trusted is what a trusted key brings into a trusted source, unless it says otherwise."""
    if principal.trusted and source.trusted:
        return sent.trust or trust_pb2.TRUST_LABEL_TRUSTED
    if sent.trust == trust_pb2.TRUST_LABEL_TRUSTED:
        holder = f"the source {source.name}" if principal.trusted else "the API key"
        raise errors.TRUST_FORBIDDEN.error(
            f"the document asks to be trusted, but {holder} is not",
            field_violations=[("document.trust", "must not be TRUSTED for this key and source")],
        )
    return trust_pb2.TRUST_LABEL_UNTRUSTED


def _check_times(sent: pb.DocumentInput) -> None:
    for name in ("create_time", "expire_time"):
        time: Timestamp = getattr(sent, name)
        if not (_FIRST_SECOND <= time.seconds <= _LAST_SECOND and 0 <= time.nanos < _NANOS):
            raise errors.INVALID_FIELD.error(
                f"document.{name} is no time of the years 1 to 9999",
                field_violations=[(f"document.{name}", "must lie in the years 1 to 9999")],
            )
    if sent.HasField("expire_time") and sent.expire_time.ToDatetime(UTC) <= datetime.now(UTC):
        raise errors.INVALID_FIELD.error(
            "document.expire_time is over", field_violations=[("document.expire_time", "must lie in the future")]
        )


def _expire_time(sent: pb.DocumentInput, source: Source) -> Timestamp | None:
    if sent.HasField("expire_time"):
        return sent.expire_time
    if source.retention is None:
        return None
    time = Timestamp()
    time.FromDatetime(datetime.now(UTC) + source.retention)
    return time


def _kind(content_type: str) -> str:
    try:
        return format_of(content_type).kind
    except ChunkingError as error:
        raise errors.UNSUPPORTED_CONTENT_TYPE.error(
            str(error),
            metadata={"valid": ", ".join(FORMATS)},
            field_violations=[("document.content_type", f"must be one of: {', '.join(FORMATS)}")],
        ) from None
