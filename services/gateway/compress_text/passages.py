"""A text that a caller sent, as passages to compress."""

from collections.abc import Iterable, Sequence
from typing import Final

from scic import errors
from scic.content_type import content_type_of
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import passage_pb2, score_pb2, source_pb2, span_pb2
from services.gateway.building.candidate import Candidate
from services.gateway.chunking import FORMATS, Chunk, ChunkingError, Kind, SourceDocument, chunk

Kinds = source_pb2.SourceKind

_PLAIN: Final = "text/plain"
_JSON: Final = "application/json"
_LONGEST_PASSAGE: Final = 65_536
_MOST_PASSAGES: Final = 512
_NAMELESS: Final = "text"
"""The document's id, which is its title where it has none; no passage is sent with it."""
_KINDS: Final = {
    Kind.DOCS: source_pb2.SOURCE_KIND_DOCS,
    Kind.CODE: source_pb2.SOURCE_KIND_CODE,
    Kind.HISTORY: source_pb2.SOURCE_KIND_HISTORY,
}
_READ: Final = {
    **{content_type: format_.kind for content_type, format_ in FORMATS.items() if content_type != "application/pdf"},
    _JSON: Kind.DOCS,
}
"""What can come as text, and of which kind it is."""


def read_passages(request: pb.CompressTextRequest, *, in_chunks: bool = False) -> list[Candidate]:
    """The passages, in the order of the text. Blocking: up to seconds where markup is perverse.

    Code and JSON of at most 65,536 characters are one passage: only of the whole can compression make something that
    parses. With `in_chunks`, code is cut like all else. Longer JSON is cut as plain text.

    Raises ScicError, naming `text` or `content_type`, where the text cannot be read.
    """
    content_type = _content_type(request)
    kind, text = _READ[content_type], request.text
    whole = content_type == _JSON or (kind is Kind.CODE and not in_chunks)
    chunks: Sequence[Chunk]
    # What is blank, or no text, is refused below like any other.
    if whole and len(text) <= _LONGEST_PASSAGE and text.strip() and "\0" not in text:
        chunks = [Chunk((), text, 0, len(text))]
    else:
        chunks = _chunks(
            SourceDocument(_NAMELESS, "", _PLAIN if content_type == _JSON else content_type, text.encode())
        )
    if len(chunks) > _MOST_PASSAGES:
        raise _invalid(errors.INVALID_FIELD, "text", f"makes {len(chunks)} passages, at most {_MOST_PASSAGES} are read")
    return list(_candidates(chunks, _KINDS[kind]))


def _content_type(request: pb.CompressTextRequest) -> str:
    given = request.content_type.partition(";")[0].strip().lower()
    content_type = given or content_type_of(request.name) or _PLAIN
    if content_type not in _READ:
        raise errors.UNSUPPORTED_CONTENT_TYPE.error(
            f"{content_type[:64]!r} is not read as text; expected one of: {', '.join(_READ)}",
            metadata={"valid": ", ".join(_READ)},
            field_violations=[("content_type" if given else "name", f"must be one of: {', '.join(_READ)}")],
        )
    return content_type


def _chunks(document: SourceDocument) -> list[Chunk]:
    try:
        return chunk(document)
    except ChunkingError as error:
        raise errors.CATALOGUE[error.reason].error(
            str(error), metadata=error.metadata, field_violations=[("text", str(error))]
        ) from None


def _candidates(chunks: Iterable[Chunk], kind: Kinds.ValueType) -> Iterable[Candidate]:
    """The document's own title is left out: it says the same of every passage."""
    for one in chunks:
        passage = passage_pb2.Passage(
            title_path=one.title_path[1:],
            text=one.text,
            kind=kind,
            span=span_pb2.Span(start=one.start, end=one.end),
        )
        yield Candidate(passage, score_pb2.Score())


def _invalid(reason: errors.Reason, field: str, description: str) -> errors.ScicError:
    return reason.error(f"{field} {description}", field_violations=[(field, description)])
