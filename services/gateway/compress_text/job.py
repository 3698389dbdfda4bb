"""A text to shorten, measured, and what is left of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import span_pb2
from services.gateway.building.candidate import Candidate
from services.gateway.building.decision import Decision
from services.gateway.compress_text.layout import OVERHEAD, lay_out
from services.gateway.compress_text.passages import read_passages
from services.text.tokens import Encoding


@dataclass(frozen=True, slots=True)
class TextJob:
    """A text, measured."""

    request: pb.CompressTextRequest
    encoding: Encoding
    passages: Sequence[Candidate]
    tokens: int
    """Of the text as it was sent."""
    size: int
    """Tokens that may be left."""
    whole: int
    """Tokens of all passages as Compress counts them: titles and seams included."""
    gap: str
    """Stands for what was left out."""

    @property
    def fits(self) -> bool:
        """Whether there is nothing to shorten."""
        return self.tokens <= self.size

    @property
    def overhead(self) -> int:
        """Tokens that a passage costs besides its title and its text."""
        return _overhead(self.passages)

    @property
    def bound(self) -> int:
        """The share of `whole` that `size` is of the text; below it, so that not all is taken for what fits."""
        return self.whole if self.fits else min(self.size * self.whole // self.tokens, self.whole - 1)

    def is_whole(self, response: compressor.CompressResponse) -> bool:
        """Whether the text is left as it is: it fits, or its reader pays less for the whole of it."""
        return self.fits or response.decision.reason == Decision.REASON_PROMPT_CACHE_CHEAPER


@dataclass(frozen=True, slots=True)
class Shortened:
    """What is left of a text."""

    text: str
    token_count: int
    """Of `text` itself."""
    response: compressor.CompressResponse
    spans: Sequence[span_pb2.Span]
    """Ranges of the text as it was sent."""


def measure(request: pb.CompressTextRequest, encoding: Encoding, gap: str) -> TextJob:
    """Cuts and counts a text. Blocking. Raises ScicError where it cannot be read."""
    passages = read_passages(request)
    tokens = encoding.count(request.text)
    ratio = request.WhichOneof("size") == "ratio"
    return TextJob(
        request=request,
        encoding=encoding,
        passages=passages,
        tokens=tokens,
        size=int(request.ratio * tokens) if ratio else request.max_tokens,
        whole=_whole(passages, encoding),
        gap=gap,
    )


def in_chunks(job: TextJob) -> TextJob:
    """The same with code cut into chunks, for who cannot take less than a passage. Blocking."""
    passages = read_passages(job.request, in_chunks=True)
    return replace(job, passages=passages, whole=_whole(passages, job.encoding))


def show(job: TextJob, response: compressor.CompressResponse) -> Shortened:
    """What is left, as one text, and counted. Blocking."""
    if job.is_whole(response):
        everything = [span_pb2.Span(start=0, end=len(job.request.text))]
        return Shortened(job.request.text, job.tokens, response, everything)
    text = lay_out(job.request.text, job.passages, response.passages, job.gap.strip())
    spans = [
        span
        for passage, outcome in zip(job.passages, response.passages, strict=True)
        if outcome.spans
        for span in passage.document_spans(outcome.spans)
    ]
    return Shortened(text, job.encoding.count(text), response, _apart(spans))


def _apart(spans: Sequence[span_pb2.Span]) -> list[span_pb2.Span]:
    """The ranges in order, those that overlap as one: passages of HTML may enclose parts of each other."""
    apart: list[span_pb2.Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if apart and span.start < apart[-1].end:
            apart[-1].end = max(apart[-1].end, span.end)
        else:
            apart.append(span_pb2.Span(start=span.start, end=span.end))
    return apart


def _whole(passages: Sequence[Candidate], encoding: Encoding) -> int:
    titles = [" > ".join(candidate.passage.title_path) for candidate in passages]
    counts = encoding.count_batch([f"{title}\n" for title in titles if title])
    counts += encoding.count_batch([f"{candidate.passage.text}\n" for candidate in passages])
    return sum(counts) + len(passages) * _overhead(passages)


def _overhead(passages: Sequence[Candidate]) -> int:
    return OVERHEAD if len(passages) > 1 else 0
