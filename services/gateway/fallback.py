"""What stands in for a stage that is away: less good, never over budget."""

from collections import Counter
from collections.abc import Sequence

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import compression_pb2, message_pb2, span_pb2
from services.gateway.decision import Decision, level, sentence, write_costs
from services.text.tokens import MESSAGE_OVERHEAD, REPLY_OVERHEAD, Encoding


def plain_cut(request: compressor.CompressRequest, encoding: Encoding) -> compressor.CompressResponse:
    """For Compress: passages stay whole, in the order given, best first, as long as they fit. Pins are not counted."""
    reasons = compressor.CompressedPassage
    response = compressor.CompressResponse()
    whole = 0
    for index, passage in enumerate(request.passages):
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
    """For Compose: the same parts in the same order, passages under a bare number and title."""
    blocks = [
        f"[{number}] {' > '.join(item.title_path)}\n{item.text}"
        for number, item in enumerate(request.evidence, start=1)
    ]
    response = _prompt(request, blocks, encoding)
    while response.token_count > request.max_tokens and blocks:
        blocks.pop()
        response = _prompt(request, blocks, encoding)
    return response


def _prompt(request: composer.ComposeRequest, blocks: Sequence[str], encoding: Encoding) -> composer.ComposeResponse:
    parts = [(message_pb2.SECTION_INSTRUCTIONS, message_pb2.ROLE_SYSTEM, request.instructions)]
    parts += [(message_pb2.SECTION_CONVERSATION, turn.role, turn.text) for turn in request.conversation]
    if blocks:
        parts.append((message_pb2.SECTION_EVIDENCE, message_pb2.ROLE_USER, "\n\n".join(blocks)))
    parts.append((message_pb2.SECTION_QUESTION, message_pb2.ROLE_USER, request.question))
    tokens = Counter({message_pb2.SECTION_FORMAT: REPLY_OVERHEAD + MESSAGE_OVERHEAD * len(parts)})
    for section, _, content in parts:
        tokens[section] += encoding.count(content)
    return composer.ComposeResponse(
        messages=[message_pb2.Message(role=role, content=content) for _, role, content in parts],
        evidence=[composer.ComposedEvidence(index=index, citation=index + 1) for index in range(len(blocks))],
        sections=[message_pb2.SectionTokens(section=section, token_count=n) for section, n in tokens.items()],
        token_count=tokens.total(),
    )
