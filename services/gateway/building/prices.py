"""What a model's provider asks, from the table of `genai-prices` that travels in the package: no network."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import TieredPrices

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from services.text.shortening import dollars


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars for a million tokens; None where the table has no such price."""

    input_usd: float
    cached_input_usd: float | None
    output_usd: float | None


@lru_cache(maxsize=256)
def model_price(model: str) -> ModelPrice | None:
    """The prices of a model, as they were when it was first asked for.

    Of a price in tiers it is the lowest one, that of short prompts. None: the table does not know the model, or `model`
    is an encoding's own name.
    """
    # A snapshot keeps every name that it is asked for, and names come from callers: one for each question.
    snapshot = DataSnapshot(providers, from_auto_update=False)
    try:
        _, found = snapshot.find_provider_model(model, None, None, None)
    except LookupError:
        return None
    prices = found.get_prices(datetime.now(UTC))
    input_usd = _base(prices.input_mtok)
    if input_usd is None:
        return None
    return ModelPrice(input_usd, _base(prices.cache_read_mtok), _base(prices.output_mtok))


def token_price(model: str) -> compressor.TokenPrice | None:
    """The price of input as the compressor takes it; None where it is not known."""
    if (price := model_price(model)) is None:
        return None
    return compressor.TokenPrice(input_usd=price.input_usd, cached_input_usd=price.cached_input_usd)


def prompt_cost(model: str, *, input_tokens: int, prefix_tokens: int, output_tokens: int) -> pb.PromptCost | None:
    """What a prompt and an answer of as many tokens would cost; None where the model has no known price.

    Args:
        model: the model's name.
        input_tokens: of the whole prompt.
        prefix_tokens: of its front, which the provider's cache may hold.
        output_tokens: reserved for the answer.
    """
    if (price := model_price(model)) is None:
        return None
    cost = pb.PromptCost(input_usd=dollars(input_tokens, price.input_usd))
    if price.cached_input_usd is not None:
        rest = dollars(input_tokens - prefix_tokens, price.input_usd)
        cost.cached_input_usd = rest + dollars(prefix_tokens, price.cached_input_usd)
    if output_tokens and price.output_usd is not None:
        cost.output_usd = dollars(output_tokens, price.output_usd)
    return cost


def _base(price: Decimal | TieredPrices | None) -> float | None:
    if price is None:
        return None
    return float(price.base if isinstance(price, TieredPrices) else price)
