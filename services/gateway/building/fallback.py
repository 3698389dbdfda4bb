"""What stands in for a stage that is away: less good, never over budget."""

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import compression_pb2, span_pb2
from services.chassis.work import checkpoint
from services.gateway.building.decision import Decision, level, sentence, write_costs
from services.prompt.wire import compose_response
from services.text.tokens import Encoding


def plain_cut(request: compressor.CompressRequest, encoding: Encoding) -> compressor.CompressResponse:
    """For Compress: passages stay whole, in the order given, best first, as long as they fit. Pins are not counted."""
    reasons = compressor.CompressedPassage
    response = compressor.CompressResponse()
    whole = 0
    for index, passage in enumerate(request.passages):
        checkpoint()
        title = " > ".join(passage.title_path)
        header, tokens = encoding.count_batch([f"{title}\n" if title else "", f"{passage.text}\n"])
        cost = header + tokens + request.overhead_tokens
        whole += cost
        fits = response.token_count + cost <= request.max_tokens
        response.token_count += cost if fits else 0
        response.passages.add(
            index=index,
            spans=[span_pb2.Span(start=0, end=len(passage.text))] if fits else [],
            token_count=tokens if fits else 0,
            original_token_count=tokens,
            reason=reasons.REASON_FITS if fits else reasons.REASON_LESS_RELEVANT,
        )
    response.decision.CopyFrom(_plain_decision(request, whole, response.token_count))
    return response


def _plain_decision(request: compressor.CompressRequest, whole: int, kept: int) -> Decision:
    fits = whole <= request.max_tokens
    decision = Decision(
        level=level(whole, request.max_tokens),
        method=compression_pb2.COMPRESSION_METHOD_NONE if fits else compression_pb2.COMPRESSION_METHOD_PLAIN_CUT,
        reason=Decision.REASON_FITS if fits else Decision.REASON_OVER_BUDGET,
        original_token_count=whole,
        max_tokens=request.max_tokens,
        token_count=kept,
    )
    write_costs(decision, request.price if request.HasField("price") else None)
    decision.detail = sentence(decision)
    return decision


def plain_prompt(request: composer.ComposeRequest, encoding: Encoding) -> composer.ComposeResponse:
    """For Compose: the very same prompt, written here, so that fences and counts hold as ever.

    Raises ScicError BUDGET_TOO_SMALL, as Compose does.
    """
    return compose_response(request, encoding)
