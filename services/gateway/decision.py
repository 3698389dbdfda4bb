"""The figures of a decision on compression: the level, what reading costs, and how it is told."""

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import compression_pb2

Decision = compression_pb2.CompressionDecision

_LIGHT_ABOVE, _MEDIUM_ABOVE = 0.7, 0.4
_MILLION = 1_000_000


def level(whole: int, allowed: int) -> compression_pb2.CompressionLevel.ValueType:
    """How hard `whole` tokens are compressed to `allowed` ones, as the API defines it."""
    if whole <= allowed:
        return compression_pb2.COMPRESSION_LEVEL_NONE
    share = allowed / whole
    if share > _LIGHT_ABOVE:
        return compression_pb2.COMPRESSION_LEVEL_LIGHT
    return (
        compression_pb2.COMPRESSION_LEVEL_MEDIUM if share > _MEDIUM_ABOVE else compression_pb2.COMPRESSION_LEVEL_HEAVY
    )


def what_stood_in(response: compressor.CompressResponse) -> str:
    """What was done instead, where the compressor says that something was done less well than asked."""
    if response.decision.method == compression_pb2.COMPRESSION_METHOD_PLAIN_CUT:
        return "passages could not be scored; they were cut by rank"
    if response.degraded_reason == errors.INTERNAL.name:
        return "some passages could not be cut or summarised; they are whole, left out, or their best parts"
    return "no summary was to be had; the best parts were kept"


def write_costs(decision: Decision, price: compressor.TokenPrice | None) -> None:
    """Puts in what the decision's tokens cost; takes it out where no price is known."""
    for field in ("original_cost_usd", "cost_usd", "cached_cost_usd"):
        decision.ClearField(field)
    if price is None:
        return
    decision.original_cost_usd = decision.original_token_count * price.input_usd / _MILLION
    decision.cost_usd = decision.token_count * price.input_usd / _MILLION
    if price.HasField("cached_input_usd"):
        decision.cached_cost_usd = decision.original_token_count * price.cached_input_usd / _MILLION


def sentence(decision: Decision) -> str:
    """The decision for people, from its figures."""
    whole, kept, allowed = decision.original_token_count, decision.token_count, decision.max_tokens
    match decision.reason:
        case Decision.REASON_EMPTY:
            return "nothing was left to compress"
        case Decision.REASON_FITS:
            return f"left whole: {whole} tokens fit {allowed}"
        case Decision.REASON_PROMPT_CACHE_CHEAPER:
            return f"left whole: {whole} tokens cost less from the prompt cache than fewer that are not in it"
    hard = compression_pb2.CompressionLevel.Name(decision.level).removeprefix("COMPRESSION_LEVEL_").lower()
    text = f"{hard}: {whole} tokens to {kept}, {allowed} allowed"
    if not decision.HasField("cost_usd"):
        return text
    return f"{text}, which saves ${decision.original_cost_usd - decision.cost_usd:.6f} a call"
