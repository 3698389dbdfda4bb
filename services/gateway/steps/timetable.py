"""Which steps of a build there is time for: decided before each, and not by waiting for it."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

from scic import errors
from services.chassis.deadline import Deadline
from services.gateway.steps.pace import Pace
from services.gateway.steps.step import SKIPPED_FIRST, Step

MARGIN_SECONDS = 0.004
"""Time before the deadline that belongs to the way back: writing the reply, the proxy, the network."""

_LEAST = {Step.SEARCH: 0.004, Step.COMPRESS: 0.003, Step.SUMMARY: 0.0, Step.COMPOSE: 0.002, Step.MEASURE: 0.0005}
"""Seconds that nobody need try to do a step in."""

_LEAST_INSTEAD = {Step.SEARCH: 0.001, Step.COMPRESS: 0.001, Step.SUMMARY: 0.0, Step.COMPOSE: 0.001, Step.MEASURE: 0.0}
"""The same for what is done instead."""

_AFTER_THE_ANSWER = frozenset({Step.MEASURE})

_WITHIN = {Step.SUMMARY: Step.COMPRESS}
"""Steps that are part of the call of another."""

_NOTICEABLE_SECONDS = 0.01

_ROOM = 1.5
"""How many times its typical duration a step may take at least, where the others leave it that."""


class Timetable:
    """Remembers how long each step takes of late, and what is done in its place; of one process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self._steps = {step: Pace(clock, least=least) for step, least in _LEAST.items()}
        self._instead = {step: Pace(clock, least=least) for step, least in _LEAST_INSTEAD.items()}

    def note(self, step: Step, seconds: float) -> None:
        """Notes how long a step took."""
        self._steps[step].note(seconds)

    @contextmanager
    def instead(self, step: Step) -> Iterator[None]:
        """Measures what is done in the place of a step."""
        start = self._clock()
        try:
            yield
        finally:
            self.note_instead(step, self._clock() - start)

    def note_instead(self, step: Step, seconds: float) -> None:
        """Notes how long it took what was done in the place of a step."""
        self._instead[step].note(seconds)

    def reserve(self, steps: AbstractSet[Step]) -> float:
        """Seconds that these take at least, if all of them are left out, with the way back."""
        return MARGIN_SECONDS + sum(self._instead[step].typical for step in steps)

    def usual_end(self, steps: AbstractSet[Step], others: AbstractSet[Step], end: Deadline) -> Deadline:
        """Until when steps are mostly done, with room for slower ones, and early enough for others until `end`."""
        room = end.earlier(self._typical(others))
        done = Deadline(end.clock() + _ROOM * self._typical(steps), end.clock)
        return min(room, done, key=lambda deadline: deadline.at)

    def knows(self, step: Step) -> bool:
        """Whether a step took noticeable time of late."""
        return self._steps[step].typical > max(_LEAST[step], _NOTICEABLE_SECONDS)

    def skipped(self, ahead: AbstractSet[Step], deadline: Deadline) -> frozenset[Step]:
        """The steps to leave out of those `ahead`, in the order of skipping and as few as let the rest end in time.

        All of them where that is not known to be enough. Raises ScicError DEADLINE_EXCEEDED where not even what is done
        in their place can end in time; what is done once the answer is there is left out then, too.
        """
        left = deadline.remaining()
        if ahead - _AFTER_THE_ANSWER and left < MARGIN_SECONDS + sum(_LEAST_INSTEAD[step] for step in ahead):
            raise errors.DEADLINE_EXCEEDED.error("the time that was left is not enough for any answer")
        skipped: set[Step] = set()
        for step in SKIPPED_FIRST:
            if self._needed(ahead, skipped) <= left:
                break
            skipped |= {step} & ahead
        # Where one alone is too slow, those that went before it may well have their time without it.
        for step in reversed(SKIPPED_FIRST):
            within = _WITHIN.get(step)
            if step in skipped and within not in skipped and self._needed(ahead, skipped - {step}) <= left:
                skipped.remove(step)
        return frozenset(skipped)

    def _needed(self, ahead: AbstractSet[Step], skipped: AbstractSet[Step]) -> float:
        return self.reserve(skipped) + self._typical(ahead - skipped)

    def _typical(self, steps: AbstractSet[Step]) -> float:
        return sum(self._steps[step].typical for step in steps)
