"""Whether it is worth a look if one for whom nothing can be built is served all the same."""

import random
from collections.abc import Callable
from typing import Final

_POOR: Final = 0.02
"""Part of those looked for that are served, below which hardly anybody is looked for."""

_SAMPLED: Final = 1 / 8
"""Part of them that is looked for then, so that better prospects are noticed."""

_MEMORY: Final = 64
"""About so many looks count."""


class Prospects:
    """How many of those who come while there is no room get what is stored, or what is under way for others.

    To look for that takes as much as all the rest of a refusal, and who refuses many does little else. Where questions
    repeat, everybody is looked for; where they do not, one in eight.
    """

    def __init__(self, *, draw: Callable[[], float] = random.random) -> None:
        """`draw` gives numbers from 0 up to 1."""
        self._draw = draw
        self._share = 1.0

    @property
    def worth_a_look(self) -> bool:
        """Whether to look for the next one."""
        return self._share >= _POOR or self._draw() < _SAMPLED

    def looked(self, *, served: bool) -> None:
        """Notes what came of a look."""
        self._share += (served - self._share) / _MEMORY
