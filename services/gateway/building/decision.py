"""The figures of a decision on compression: the level, what reading costs, and how it is told."""

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import compression_pb2
from services.text.shortening import DecisionReason, Level, dollars, level_of, tell

Decision = compression_pb2.CompressionDecision

_LEVEL, _REASON = "COMPRESSION_LEVEL_", "REASON_"


def level(whole: int, allowed: int) -> compression_pb2.CompressionLevel.ValueType:
    """How hard `whole` tokens are compressed to `allowed` ones, as the API defines it."""
    return compression_pb2.CompressionLevel.Value(f"{_LEVEL}{level_of(whole, allowed).name}")


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
    decision.original_cost_usd = dollars(decision.original_token_count, price.input_usd)
    decision.cost_usd = dollars(decision.token_count, price.input_usd)
    if price.HasField("cached_input_usd"):
        decision.cached_cost_usd = dollars(decision.original_token_count, price.cached_input_usd)


def sentence(decision: Decision) -> str:
    """The decision for people, from its figures."""
    saved = decision.original_cost_usd - decision.cost_usd if decision.HasField("cost_usd") else None
    return tell(
        Level[compression_pb2.CompressionLevel.Name(decision.level).removeprefix(_LEVEL)],
        DecisionReason[Decision.Reason.Name(decision.reason).removeprefix(_REASON)],
        whole=decision.original_token_count,
        kept=decision.token_count,
        allowed=decision.max_tokens,
        saved_usd=saved,
    )
