"""What is known of the sources while one request is served: what stands for each, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from google.protobuf.duration_pb2 import Duration

from scic.gateway.v1 import context_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import passage_pb2, span_pb2, trust_pb2
from services.gateway.sources.search import Search
from services.gateway.sources.source import Source
from services.gateway.steps.cost import of_sources

Rung = pb.SourceReport.Rung
Passages = list[selector.ScoredPassage]


class Failure(NamedTuple):
    """Sources that could not be searched."""

    reason: str
    """Why, as a reason of the catalogue."""

    detail: str
    """What was done instead, in words."""

    cost: str
    """What that cost, in words with figures."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What there is to choose from, and how it came about."""

    passages: Passages
    """Each once, best first; then those that are left out for one of them."""

    question_vector: bytes
    """Empty where it is unknown."""

    corpus_version: int
    """0 where nothing was searched."""

    reports: list[pb.SourceReport]
    """One for each source asked for, in the order of their names."""

    failures: list["Failure"]

    search_seconds: float | None
    """How long the selector took, or was waited for; None where it was not asked or failed at once."""

    instead_seconds: float | None
    """How long it took to find what stands for sources, backups left out; None where nothing had to."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What stands for one source."""

    rung: pb.SourceReport.Rung.ValueType
    passages: Passages
    words: str = ""
    """What it is; empty where it is the source itself."""


@dataclass(slots=True)
class Climb:
    """The way down the ladder of one request's sources."""

    search: Search

    stands: dict[str, Stand] = field(default_factory=dict)
    """What stands for each source, as far as something was found."""

    reasons: dict[str, str] = field(default_factory=dict)
    """Why sources could not be searched, as reasons of the catalogue."""

    away: str = ""
    """Why the selector searched nothing at all; empty where it did."""

    answers: bool = True
    """Whether the selector is there, to search a backup at least."""

    search_seconds: float | None = None
    """How long the selector took for the sources that were asked for, or was waited for."""

    instead_seconds: float | None = None
    """How long the rungs took that have to be climbed when a source is lost: all but its backup."""

    durations: dict[str, Duration] = field(default_factory=dict)
    """How long the searches took."""

    question_vector: bytes = b""
    corpus_version: int = 0

    @property
    def lost(self) -> list[str]:
        """Sources asked for that nothing stands for yet."""
        return [name for name in self.search.limits if name not in self.stands]

    def lose(self, reason: str, *, answers: bool = False) -> None:
        """Notes that nothing at all was searched, and whether the selector is there."""
        self.away, self.answers = reason, answers
        self.reasons |= dict.fromkeys(self.search.limits, reason)

    def make_do(self) -> None:
        """The last rungs: a declared default, what the request brought, nothing but the question."""
        request = self.search.recipe.request
        for name in self.lost:
            source = self.search.sources[name]
            if source.default_text and not self.search.required(name):
                self.stands[name] = Stand(Rung.RUNG_MINIMAL, [_default(source)], "its declared default")
        others = any(stand.passages for stand in self.stands.values())
        for name in self.lost:
            if request.passages or request.conversation:
                stand = Stand(Rung.RUNG_MINIMAL, [], "passages and turns that came with the request")
            elif others and not self.search.required(name):
                stand = Stand(Rung.RUNG_MINIMAL, [], "nothing, as is declared of it")
            else:
                stand = Stand(Rung.RUNG_EMERGENCY, [], "nothing but the question")
            self.stands[name] = stand

    def selected(self) -> Selected:
        """The outcome, when something stands for each source."""
        reports = [
            pb.SourceReport(
                source=name,
                passage_count=len(self.stands[name].passages),
                duration=self.durations.get(name),
                required=self.search.required(name),
                rung=self.stands[name].rung,
                error_reason=self.reasons.get(name, ""),
                stand_in=self.stands[name].words,
            )
            for name in self.search.limits
        ]
        return Selected(
            passages=_each_once(passage for stand in self.stands.values() for passage in stand.passages),
            question_vector=self.question_vector,
            corpus_version=self.corpus_version,
            reports=reports,
            failures=self._failures([report for report in reports if report.error_reason]),
            search_seconds=self.search_seconds,
            instead_seconds=self.instead_seconds,
        )

    def _failures(self, reports: Sequence[pb.SourceReport]) -> list[Failure]:
        """One where the selector searched nothing at all, else one for each source that failed."""
        limits = self.search.limits
        if self.away:
            instead = "; ".join(f"for {report.source} stands {report.stand_in}" for report in reports)
            detail = f"no source could be searched; {instead}"
            return [Failure(self.away, detail, of_sources(reports, limits))]
        return [
            Failure(
                report.error_reason,
                f"source {report.source} could not be searched; for it stands {report.stand_in}",
                of_sources([report], limits),
            )
            for report in reports
        ]


def _default(source: Source) -> selector.ScoredPassage:
    """The declared default of a source, as a passage of it."""
    text = source.default_text
    return selector.ScoredPassage(
        passage=passage_pb2.Passage(
            passage_id=f"{source.name}/default",
            source=source.name,
            kind=source.kind,
            text=text,
            span=span_pb2.Span(start=0, end=len(text)),
            # Who declares sources runs the gateway.
            trust=trust_pb2.TRUST_LABEL_TRUSTED,
        ),
        found_by=source.name,
    )


def _each_once(passages: Iterable[selector.ScoredPassage]) -> Passages:
    """A passage that several sources gave stands once, and a duplicate only beside what stands for it."""
    full: dict[str, selector.ScoredPassage] = {}
    duplicates: dict[str, selector.ScoredPassage] = {}
    for passage in passages:
        (duplicates if passage.duplicate_of else full).setdefault(passage.passage.passage_id, passage)
    left_out = [p for name, p in duplicates.items() if name not in full and p.duplicate_of in full]
    return [*sorted(full.values(), key=_worst_last), *sorted(left_out, key=_worst_last)]


def _worst_last(passage: selector.ScoredPassage) -> float:
    return -passage.score.value
