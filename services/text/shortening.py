"""How hard a text is shortened, and how that is told: what gateway and compressor have to say alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

LIGHT_ABOVE: Final = 0.7
MEDIUM_ABOVE: Final = 0.4
_MILLION: Final = 1_000_000


class Level(StrEnum):
    """How hard, by the share of the size that is asked for."""

    NONE = "none"
    LIGHT = "light"
    """Above 0.7: what is said twice goes first."""
    MEDIUM = "medium"
    """Above 0.4: the key points stay."""
    HEAVY = "heavy"
    """The rest: a summary where an LLM writes one that keeps every pin, else the best key points."""


class DecisionReason(StrEnum):
    """Why."""

    FITS = "fits"
    OVER_BUDGET = "over_budget"
    PROMPT_CACHE_CHEAPER = "prompt_cache_cheaper"
    EMPTY = "empty"


def level_of(whole: int, allowed: int) -> Level:
    """How hard `whole` tokens are shortened to `allowed` ones."""
    if whole <= allowed:
        return Level.NONE
    share = allowed / whole
    return Level.LIGHT if share > LIGHT_ABOVE else Level.MEDIUM if share > MEDIUM_ABOVE else Level.HEAVY


def dollars(tokens: int, usd_a_million: float) -> float:
    """What so many tokens cost, in US dollars."""
    return tokens * usd_a_million / _MILLION


def tell(level: Level, reason: DecisionReason, *, whole: int, kept: int, allowed: int, saved_usd: float | None) -> str:
    """The decision in a sentence, for people.

    Args:
        level: how hard.
        reason: why.
        whole: tokens of the original.
        kept: tokens of the result.
        allowed: tokens that it might take.
        saved_usd: US dollars that the result saves whoever reads it; None where no price is known.
    """
    match reason:
        case DecisionReason.EMPTY:
            return "nothing was left to compress"
        case DecisionReason.FITS:
            return f"left whole: {whole} tokens fit {allowed}"
        case DecisionReason.PROMPT_CACHE_CHEAPER:
            return f"left whole: {whole} tokens cost less from the prompt cache than fewer that are not in it"
    text = f"{level.value}: {whole} tokens to {kept}, {allowed} allowed"
    return text if saved_usd is None else f"{text}, which saves ${saved_usd:.6f} a call"
