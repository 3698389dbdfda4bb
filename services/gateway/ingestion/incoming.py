"""A document as it came, checked and read."""

import hashlib
from dataclasses import dataclass

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.type.v1 import source_pb2
from services.chassis.interceptors.validation import check
from services.gateway.chunking import FORMATS, ChunkingError, SourceDocument, format_of
from services.gateway.source import SOURCES

_DEFAULT_CONTENT_TYPE = "text/plain"

_PIPELINE = b"1 "
"""Counts up when chunking or preparation change what they make of a document: then it is no longer unchanged."""


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


def read(index: int, request: pb.IngestDocumentsRequest) -> IncomingDocument:
    """Checks and reads one document. Raises ScicError, naming the field, where it cannot be taken."""
    check(request)
    sent = request.document
    content_type = sent.content_type or _DEFAULT_CONTENT_TYPE
    kind = _kind(content_type)
    source = sent.source or kind
    if source not in SOURCES:
        valid = ", ".join(sorted(SOURCES))
        raise errors.UNKNOWN_SOURCE.error(
            f"source {source[:64]!r} is not known; valid: {valid}",
            metadata={"valid": valid},
            field_violations=[("document.source", f"must be one of: {valid}")],
        )
    return IncomingDocument(
        index=index,
        input=sent,
        document=SourceDocument(
            document_id=sent.document_id, title=sent.title, content_type=content_type, text=_decode(sent.content)
        ),
        source=source,
        kind=SOURCES[source],
        content_hash=hashlib.sha256(_PIPELINE + sent.SerializeToString(deterministic=True)).hexdigest(),
    )


def _kind(content_type: str) -> str:
    try:
        return format_of(content_type).kind
    except ChunkingError as error:
        raise errors.UNSUPPORTED_CONTENT_TYPE.error(
            str(error),
            metadata={"valid": ", ".join(FORMATS)},
            field_violations=[("document.content_type", f"must be one of: {', '.join(FORMATS)}")],
        ) from None


def _decode(content: bytes) -> str:
    if b"\0" in content:
        raise errors.BINARY_CONTENT.error(
            "the content has NUL bytes: it is not a text", field_violations=[("document.content", "must be text")]
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.BROKEN_ENCODING.error(
            f"the content is not UTF-8 at byte {error.start}",
            metadata={"offset": str(error.start)},
            field_violations=[("document.content", "must be UTF-8")],
        ) from None
