"""The steps of a build: how much of the time they may take, and in which order they are left out when it runs short."""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType


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

TIME_SHARES: Mapping[Step, float] = MappingProxyType({Step.SEARCH: 0.6, Step.COMPRESS: 0.6, Step.COMPOSE: 0.9})
"""Part of the time still left that a call of a stage may take."""
