"""What is noted while one context is built."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration

from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import degradation_pb2
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.gateway.recipes.recipe import Recipe
from services.gateway.steps.step import TIME_SHARES, Step
from services.gateway.steps.timetable import Timetable

STAGES = {
    Step.SEARCH: degradation_pb2.STAGE_SELECT,
    Step.COMPRESS: degradation_pb2.STAGE_COMPRESS,
    Step.SUMMARY: degradation_pb2.STAGE_COMPRESS,
    Step.COMPOSE: degradation_pb2.STAGE_COMPOSE,
    Step.MEASURE: degradation_pb2.STAGE_MEASURE,
}
"""Steps as the API tells of them."""

_NAMES = {
    degradation_pb2.STAGE_SELECT: "select",
    degradation_pb2.STAGE_COMPRESS: "compress",
    degradation_pb2.STAGE_COMPOSE: "compose",
    degradation_pb2.STAGE_MEASURE: "measure",
}
"""Stages as metrics name them."""


@dataclass(slots=True)
class Run:
    """One request's way through the steps."""

    recipe: Recipe
    deadline: Deadline
    dry_run: bool
    timetable: Timetable
    clock: Callable[[], float]
    """Seconds, for durations."""

    ahead: set[Step]
    """Steps that have not begun."""

    timings: list[pb.StageTiming] = field(default_factory=list)
    degradations: list[degradation_pb2.Degradation] = field(default_factory=list)
    _skipped: AbstractSet[Step] = frozenset()
    """Of those ahead, as it looked when the last one began."""

    _summarises: bool = False

    def begins(self, step: Step) -> bool:
        """Whether there is time for a step, which is no longer ahead then.

        Raises ScicError DEADLINE_EXCEEDED where there is no time for any answer.
        """
        if step not in self.ahead:
            return False
        self._skipped = self.timetable.skipped(self.ahead, self.deadline)
        self.ahead.discard(step)
        begins = step not in self._skipped
        if step is Step.SUMMARY:
            self._summarises = begins
        return begins

    def time_for(self, step: Step) -> Deadline:
        """Until when a step may take: what stands in for it, and for all that follows, still ends in time.

        That is its share of the time that is left; more where it mostly takes more and the others leave it that.
        """
        end = self.deadline.earlier(self.timetable.reserve(self.ahead | {step}))
        share = end.share(TIME_SHARES[step])
        steps = {Step.COMPRESS, Step.SUMMARY} if step is Step.COMPRESS and self._summarises else {step}
        usual = self.timetable.usual_end(steps, self.ahead - self._skipped, end)
        return max(share, usual, key=lambda deadline: deadline.at)

    def degrade(self, stage: degradation_pb2.Stage.ValueType, reason: str, detail: str, cost: str) -> None:
        """Notes that something stood in for what was asked, and what that cost."""
        metrics.DEGRADATIONS.labels(_NAMES[stage], reason).inc()
        self.degradations.append(degradation_pb2.Degradation(stage=stage, reason=reason, detail=detail, cost=cost))

    @contextmanager
    def timed(self, stage: degradation_pb2.Stage.ValueType) -> Iterator[None]:
        """Measures a stage, whatever is done in it."""
        start = self.clock()
        try:
            yield
        finally:
            seconds = self.clock() - start
            metrics.STAGE_DURATION.labels(_NAMES[stage]).observe(seconds)
            duration = Duration()
            duration.FromNanoseconds(int(seconds * 1e9))
            self.timings.append(pb.StageTiming(stage=stage, duration=duration))
