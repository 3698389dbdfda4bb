"""A document, cut into passages and looked through for personal data: all that ingestion does with its text itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import passage_pb2, span_pb2
from services.chassis.logs import get_logger
from services.gateway.chunking import Chunk, ChunkingError, chunk
from services.gateway.guard.detect import DetectorError, Detectors
from services.gateway.guard.scan import scan_passage
from services.gateway.ingestion.incoming import IncomingDocument

_MAX_TITLES = 32
"""Titles that a passage keeps; deeper nesting is cut."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChunkedDocument:
    """A document, its passages' texts, and what the guard found in each of them."""

    incoming: IncomingDocument
    chunks: list[Chunk]
    scans: list[bytes]

    def indexed(self, supply: Iterator[compressor.PreparedPassage]) -> selector.IndexedDocument:
        """The document as the selector stores it; `supply` has what was prepared of its passages, in order."""
        sent, record = self.incoming.input, self._record()
        passages = []
        for ordinal, (piece, scan) in enumerate(zip(self.chunks, self.scans, strict=True)):
            prepared = next(supply)
            passage = passage_pb2.Passage(
                passage_id=f"{sent.document_id}#{ordinal}",
                document_id=sent.document_id,
                source=record.source,
                kind=record.kind,
                title_path=piece.title_path,
                text=piece.text,
                span=span_pb2.Span(start=piece.start, end=piece.end),
                metadata=sent.metadata,
                create_time=record.create_time if record.HasField("create_time") else None,
                prepared=prepared.prepared,
                sensitive=scan,
                trust=record.trust,
            )
            passages.append(selector.IndexedPassage(passage=passage, vector=prepared.vector))
        return selector.IndexedDocument(record=record, passages=passages)

    def _record(self) -> selector.DocumentRecord:
        sent = self.incoming.input
        return selector.DocumentRecord(
            document_id=sent.document_id,
            source=self.incoming.source,
            kind=self.incoming.kind,
            title=self.chunks[0].title_path[0],
            content_type=self.incoming.document.content_type,
            content_hash=self.incoming.content_hash,
            size_bytes=len(sent.content),
            passage_count=len(self.chunks),
            metadata=sent.metadata,
            create_time=sent.create_time if sent.HasField("create_time") else None,
            acl_groups=sent.acl_groups,
            subjects=sent.subjects,
            expire_time=self.incoming.expire_time,
            trust=self.incoming.trust,
        )


def chunk_all(batch: Sequence[IncomingDocument], detectors: Detectors) -> list[ChunkedDocument | errors.ScicError]:
    """Each document cut and scanned, or why it cannot be."""
    return [_chunk(incoming, detectors) for incoming in batch]


def _chunk(incoming: IncomingDocument, detectors: Detectors) -> ChunkedDocument | errors.ScicError:
    sent = incoming.input
    try:
        chunks = [replace(one, title_path=one.title_path[:_MAX_TITLES]) for one in chunk(incoming.document)]
        scans = [scan_passage(detectors, one.title_path, one.text, sent.metadata) for one in chunks]
    except ChunkingError as error:
        return errors.CATALOGUE[error.reason].error(
            str(error), metadata=error.metadata, field_violations=[("document.content", str(error))]
        )
    except DetectorError as error:
        _log.exception("detector_failed", detector=str(error))
        return errors.GUARD_FAILED.error(
            "the document could not be looked through for personal data",
            field_violations=[("document.content", "must be readable to every detector")],
        )
    return ChunkedDocument(incoming, chunks, scans)
