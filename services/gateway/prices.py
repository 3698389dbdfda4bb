"""What a model's provider asks for input, from the table of `genai-prices` that travels in the package: no network."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import TieredPrices

from scic.compressor.v1 import compressor_service_pb2 as compressor


@lru_cache(maxsize=256)
def token_price(model: str) -> compressor.TokenPrice | None:
    """US dollars for a million tokens of input, as they were when the model was first asked for.

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
    return compressor.TokenPrice(input_usd=input_usd, cached_input_usd=_base(prices.cache_read_mtok))


def _base(price: Decimal | TieredPrices | None) -> float | None:
    if price is None:
        return None
    return float(price.base if isinstance(price, TieredPrices) else price)
