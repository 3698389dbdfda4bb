"""Whether to compress at all, how far, and what that is worth: one decision, told with its reasons."""

from __future__ import annotations

from dataclasses import dataclass

from services.text.shortening import DecisionReason, Level, dollars, level_of, tell


@dataclass(frozen=True, slots=True)
class Price:
    """What the reader pays, in US dollars for a million tokens of input."""

    input: float
    cached_input: float | None = None
    """From the provider's prompt cache; None where there is no such price."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided before any work was done."""

    level: Level
    reason: DecisionReason
    bound: int
    """Tokens that the result may take."""
    whole: int
    """Tokens of all passages, headers included."""
    price: Price | None

    def cost(self, tokens: int) -> float | None:
        """US dollars for reading so many tokens; None where no price is known."""
        return None if self.price is None else dollars(tokens, self.price.input)

    @property
    def cached_cost(self) -> float | None:
        """US dollars for reading the whole from the prompt cache; None where no such price is known."""
        if self.price is None or self.price.cached_input is None:
            return None
        return dollars(self.whole, self.price.cached_input)

    def detail(self, kept: int) -> str:
        """The decision in a sentence; `kept` is the tokens of the result."""
        return tell(
            self.level,
            self.reason,
            whole=self.whole,
            kept=kept,
            allowed=self.bound,
            saved_usd=self.cost(self.whole - kept),
        )


def decide(
    whole: int, max_tokens: int, target_tokens: int | None, price: Price | None, *, prompt_cached: bool
) -> Decision:
    """Breaks even: shortens what is over the target, unless the whole costs less where it is cached already.

    Args:
        whole: tokens of all passages, headers included.
        max_tokens: what must not be exceeded.
        target_tokens: what to shorten to; None: `max_tokens`.
        price: of a token; without it, the prompt cache cannot be cheaper.
        prompt_cached: whether the whole stands in the reader's prompt cache. What is shortened does not.
    """
    target = max_tokens if target_tokens is None else min(target_tokens, max_tokens)
    if not whole:
        return Decision(Level.NONE, DecisionReason.EMPTY, max_tokens, whole, price)
    if whole <= target:
        return Decision(Level.NONE, DecisionReason.FITS, max_tokens, whole, price)
    cached = price.cached_input if price and prompt_cached and whole <= max_tokens else None
    if price and cached is not None and whole * cached <= target * price.input:
        return Decision(Level.NONE, DecisionReason.PROMPT_CACHE_CHEAPER, max_tokens, whole, price)
    return Decision(level_of(whole, target), DecisionReason.OVER_BUDGET, target, whole, price)
