"""Which steps of a build there is time for: decided before each, and not by waiting for it."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

from scic import errors
from services.chassis.deadline import Deadline
from services.gateway.pace import Pace
from services.gateway.step import Step

MARGIN_SECONDS = 0.004
"""Time before the deadline that belongs to the way back: writing the reply, the proxy, the network."""

_LEAST = {Step.SEARCH: 0.004, Step.COMPRESS: 0.003, Step.SUMMARY: 0.0, Step.COMPOSE: 0.002, Step.MEASURE: 0.0005}
"""Seconds that nobody need try to do a step in."""

_LEAST_INSTEAD = {Step.SEARCH: 0.001, Step.COMPRESS: 0.001, Step.SUMMARY: 0.0, Step.COMPOSE: 0.001, Step.MEASURE: 0.0}
"""The same for what is done instead."""

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
            self._instead[step].note(self._clock() - start)

    def reserve(self, steps: AbstractSet[Step]) -> float:
        """Seconds that these take at least, if all of them are left out, with the way back."""
        return MARGIN_SECONDS + sum(self._instead[step].typical for step in steps)

    def usual_end(self, step: Step, others: AbstractSet[Step], end: Deadline) -> Deadline:
        """Until when a step is mostly done, with room for a slower one, and early enough for others until `end`."""
        room = end.earlier(sum(self._steps[one].typical for one in others))
        done = Deadline(end.clock() + _ROOM * self._steps[step].typical, end.clock)
        return min(room, done, key=lambda deadline: deadline.at)

    def knows(self, step: Step) -> bool:
        """Whether a step took noticeable time of late."""
        return self._steps[step].typical > max(_LEAST[step], _NOTICEABLE_SECONDS)

    def skipped(self, ahead: AbstractSet[Step], order: Sequence[Step], deadline: Deadline) -> frozenset[Step]:
        """The steps to leave out of those `ahead`: as few as let the rest end in time, in the order of skipping.

        All of them where that is not known to be enough. Raises ScicError DEADLINE_EXCEEDED where not even what is done
        in their place can end in time.
        """
        left = deadline.remaining()
        if left < MARGIN_SECONDS + sum(_LEAST_INSTEAD[step] for step in ahead):
            raise errors.DEADLINE_EXCEEDED.error("the time that was left is not enough for any answer")
        skipped: set[Step] = set()
        for step in order:
            needed = self.reserve(skipped) + sum(self._steps[one].typical for one in ahead - skipped)
            if needed <= left:
                break
            if step in ahead:
                skipped.add(step)
        return frozenset(skipped)
