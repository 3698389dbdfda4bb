"""Whether to compress, how far, and what that is worth."""

import pytest

from services.compressor.decision import Price, decide
from services.text.shortening import DecisionReason, Level

PRICE = Price(input=2.5, cached_input=1.25)
NO_CACHE_PRICE = Price(input=2.5)


@pytest.mark.parametrize(
    ("whole", "max_tokens", "level", "reason"),
    [
        pytest.param(0, 100, Level.NONE, DecisionReason.EMPTY, id="nothing-to-compress"),
        pytest.param(100, 100, Level.NONE, DecisionReason.FITS, id="just-fits"),
        pytest.param(100, 99, Level.LIGHT, DecisionReason.OVER_BUDGET, id="a-token-too-many"),
        pytest.param(100, 71, Level.LIGHT, DecisionReason.OVER_BUDGET, id="above-0.7"),
        pytest.param(100, 70, Level.MEDIUM, DecisionReason.OVER_BUDGET, id="0.7"),
        pytest.param(100, 41, Level.MEDIUM, DecisionReason.OVER_BUDGET, id="above-0.4"),
        pytest.param(100, 40, Level.HEAVY, DecisionReason.OVER_BUDGET, id="0.4"),
        pytest.param(100, 0, Level.HEAVY, DecisionReason.OVER_BUDGET, id="no-budget"),
    ],
)
def test_the_share_that_is_asked_for_makes_the_level(whole, max_tokens, level, reason):
    decision = decide(whole, max_tokens, None, None, prompt_cached=False)
    assert (decision.level, decision.reason, decision.bound) == (level, reason, max_tokens)


@pytest.mark.parametrize(
    ("target", "max_tokens", "price", "cached", "reason", "bound"),
    [
        pytest.param(60, 100, PRICE, True, DecisionReason.PROMPT_CACHE_CHEAPER, 100, id="half-price-for-all-is-less"),
        pytest.param(50, 100, PRICE, True, DecisionReason.PROMPT_CACHE_CHEAPER, 100, id="even"),
        pytest.param(49, 100, PRICE, True, DecisionReason.OVER_BUDGET, 49, id="fewer-tokens-are-less"),
        pytest.param(60, 100, PRICE, False, DecisionReason.OVER_BUDGET, 60, id="not-cached"),
        pytest.param(60, 99, PRICE, True, DecisionReason.OVER_BUDGET, 60, id="whole-would-not-fit"),
        pytest.param(60, 100, None, True, DecisionReason.OVER_BUDGET, 60, id="no-price"),
        pytest.param(60, 100, NO_CACHE_PRICE, True, DecisionReason.OVER_BUDGET, 60, id="no-price-for-the-cache"),
        pytest.param(200, 60, PRICE, False, DecisionReason.OVER_BUDGET, 60, id="target-above-what-is-allowed"),
    ],
)
def test_the_prompt_cache_is_weighed_against_the_tokens_saved(target, max_tokens, price, cached, reason, bound):
    decision = decide(100, max_tokens, target, price, prompt_cached=cached)
    assert (decision.reason, decision.bound) == (reason, bound)


def test_costs_are_those_of_the_tokens():
    decision = decide(4_000, 1_000, None, PRICE, prompt_cached=False)
    assert decision.cost(4_000) == pytest.approx(0.01)
    assert decision.cached_cost == pytest.approx(0.005)
    assert "4000 tokens to 900, 1000 allowed, which saves $0.007750 a call" in decision.detail(900)


def test_without_a_price_no_money_is_spoken_of():
    decision = decide(4_000, 1_000, None, None, prompt_cached=False)
    assert (decision.cost(4_000), decision.cached_cost) == (None, None)
    assert decision.detail(900) == "heavy: 4000 tokens to 900, 1000 allowed"
