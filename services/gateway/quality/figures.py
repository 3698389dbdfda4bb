"""The figures, all 0 to 1. docs/quality-figures.md says what they mean and how they were chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scic.type.v1 import message_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scic.gateway.v1 import context_service_pb2 as pb
    from services.gateway.quality.reading import Reading


def completeness_of(asked: Mapping[str, str], passages: Sequence[Reading]) -> float:
    """How much of the question is covered: each of its terms counts as much as the best passage fits that holds it."""
    if not asked:
        return max((passage.fit for passage in passages), default=0.0)
    best = dict.fromkeys(asked, 0.0)
    for passage in passages:
        for term in passage.asked:
            best[term] = max(best[term], passage.fit)
    return sum(best.values()) / len(best)


def relevance_of(passages: Sequence[Reading]) -> float:
    """How well a token of the evidence fits the question: the passages' fit, by their tokens."""
    total = evidence_tokens(passages)
    return sum(passage.tokens * passage.fit for passage in passages) / total if total else 0.0


def redundancy_of(passages: Sequence[Reading]) -> float:
    """Part of the passages' shingles that is not needed to have each of them once (Broder, 1997)."""
    total = sum(len(passage.shingles) for passage in passages)
    distinct = len(frozenset().union(*(passage.shingles for passage in passages)))
    return 1 - distinct / total if total else 0.0


def size_efficiency_of(
    relevance: float, redundancy: float, passages: Sequence[Reading], tokens: pb.TokenUsage
) -> float:
    """How much of the tokens used is evidence that fits and is new: its share, its fit and its news."""
    used = used_tokens(tokens)
    share = min(evidence_tokens(passages) / used, 1.0) if used else 0.0
    return share * relevance * (1 - redundancy)


def evidence_tokens(passages: Sequence[Reading]) -> int:
    """Tokens of the passages' texts."""
    return sum(passage.tokens for passage in passages)


def used_tokens(tokens: pb.TokenUsage) -> int:
    """Tokens of the prompt: all but those kept free for the answer."""
    reserved = message_pb2.SECTION_RESERVED_OUTPUT
    return tokens.total - sum(part.token_count for part in tokens.sections if part.section == reserved)
