"""The evidence budget by source: what counts how much, and which part is whose."""

from collections.abc import Sequence
from dataclasses import dataclass

from scic.compressor.v1 import compressor_service_pb2 as compressor
from services.gateway.building.candidate import INLINE, Candidate
from services.gateway.sources.source import GENERAL_KNOWLEDGE, Sources

_CURRENT_TASK = 1.0
"""Priority of what came with the request."""
_UNDECLARED = "(undeclared)"


@dataclass(frozen=True, slots=True)
class Sections:
    """The parts of a budget and which of them each passage belongs to."""

    sections: tuple[compressor.BudgetSection, ...]
    """One for each source that has a candidate, in the order they come; at most 32."""

    indexes: tuple[int, ...]
    """For each candidate, the index of its section."""


def budget_sections(candidates: Sequence[Candidate], sources: Sources, tokens: int) -> Sections:
    """Shares `tokens` out among the sources of the candidates.

    A passage counts for the source it belongs to, whichever search found it. Those of sources that are no longer
    declared are general knowledge, all together.
    """
    names = [_name(candidate, sources) for candidate in candidates]
    order = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return Sections(tuple(_section(name, sources, tokens) for name in order), tuple(order[name] for name in names))


def _name(candidate: Candidate, sources: Sources) -> str:
    source = candidate.passage.source
    return source if source == INLINE or source in sources else _UNDECLARED


def _section(name: str, sources: Sources, tokens: int) -> compressor.BudgetSection:
    if name == INLINE:
        return compressor.BudgetSection(name=name, priority=_CURRENT_TASK)
    if name == _UNDECLARED:
        return compressor.BudgetSection(name=name, priority=GENERAL_KNOWLEDGE)
    source = sources[name]
    return compressor.BudgetSection(
        name=name,
        priority=source.priority,
        min_tokens=int(source.min_share * tokens),
        # 0 would mean no bound.
        max_tokens=max(1, int(source.max_share * tokens)) if source.max_share else 0,
    )
