"""A passage that competes for a place in the prompt, found or given."""

from collections.abc import Sequence
from dataclasses import dataclass

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import passage_pb2, score_pb2, source_pb2, span_pb2, trust_pb2

INLINE = "inline"
"""The source of passages that came with the request."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage and its score."""

    passage: passage_pb2.Passage
    score: score_pb2.Score

    def compressible(self, section: int) -> compressor.CompressiblePassage:
        """The passage as Compress takes it, in a section of the budget."""
        passage = self.passage
        return compressor.CompressiblePassage(
            title_path=passage.title_path,
            text=passage.text,
            prepared=passage.prepared,
            kind=passage.kind,
            score=self.score.value,
            section=section,
        )

    @property
    def is_verbatim(self) -> bool:
        """Whether the passage is a copy of a stretch of its document."""
        return self.passage.span.end - self.passage.span.start == len(self.passage.text)

    def shown(self, outcome: compressor.CompressedPassage) -> str:
        """What is kept of the passage, as the prompt shows it."""
        return outcome.text or self.passage.text[outcome.spans[0].start : outcome.spans[-1].end]

    def covers(self, spans: Sequence[span_pb2.Span]) -> bool:
        """Whether nothing but white space of the text is left out by `spans`, which stand in order."""
        text, begin = self.passage.text, 0
        for span in spans:
            if text[begin : span.start].strip():
                return False
            begin = span.end
        return not text[begin:].strip()

    def document_spans(self, spans: Sequence[span_pb2.Span]) -> list[span_pb2.Span]:
        """`spans` of the passage's text as ranges of the document.

        Where the passage is not a copy of a stretch of the document (HTML, conversation logs), a range inside it
        means nothing there, so one range encloses the whole passage.
        """
        whole = self.passage.span
        if not self.is_verbatim:
            return [whole]
        return [span_pb2.Span(start=whole.start + span.start, end=whole.start + span.end) for span in spans]


def candidates(request: pb.BuildContextRequest, found: Sequence[selector.ScoredPassage]) -> list[Candidate]:
    """All that competes, most valuable first: what the caller brought, then what was found, best first as it comes.

    What the caller brought is untrusted: the mesh does not know who wrote it.
    """
    given = [
        Candidate(
            passage_pb2.Passage(
                passage_id=passage.passage_id,
                source=INLINE,
                kind=passage.kind or source_pb2.SOURCE_KIND_DOCS,
                title_path=[passage.title] if passage.title else [],
                text=passage.text,
                span=span_pb2.Span(start=0, end=len(passage.text)),
                trust=trust_pb2.TRUST_LABEL_UNTRUSTED,
            ),
            score_pb2.Score(),
        )
        for passage in request.passages
    ]
    return given + [Candidate(scored.passage, scored.score) for scored in found if not scored.duplicate_of]
