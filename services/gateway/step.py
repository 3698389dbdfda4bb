"""The steps of a build, and the order in which they are left out when time runs short."""

from enum import Enum, auto


class Step(Enum):
    """A step that may be left out, in the order they run."""

    SEARCH = auto()
    """The selector's search of all sources. Else: what the sources last gave, then what the request brought."""

    COMPRESS = auto()
    """The compressor. Else: whole passages, as far as they fit."""

    SUMMARY = auto()
    """The compressor's LLM, within its call. Else: the best parts of the passages."""

    COMPOSE = auto()
    """The composer. Else: the gateway writes the same prompt."""

    MEASURE = auto()
    """The quality figures. Else: none."""


SKIPPED_FIRST = (Step.MEASURE, Step.SUMMARY, Step.COMPRESS, Step.COMPOSE, Step.SEARCH)
"""The order of skipping: what the answer misses least goes first."""
