"""What stands in for a stage that is away: less good, never over budget."""

from collections import Counter
from collections.abc import Sequence

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import message_pb2, span_pb2
from services.text.tokens import MESSAGE_OVERHEAD, REPLY_OVERHEAD, Encoding


def plain_cut(request: compressor.CompressRequest, encoding: Encoding) -> compressor.CompressResponse:
    """For Compress: passages stay whole, in the order given, best first, as long as they fit."""
    left = request.max_tokens
    outcomes = []
    for index, passage in enumerate(request.passages):
        tokens = encoding.count(passage.text)
        cost = tokens + encoding.count(" > ".join(passage.title_path)) + request.overhead_tokens
        spans = [span_pb2.Span(start=0, end=len(passage.text))] if cost <= left else []
        left -= cost if spans else 0
        outcomes.append(
            compressor.CompressedPassage(
                index=index, spans=spans, token_count=tokens if spans else 0, original_token_count=tokens
            )
        )
    return compressor.CompressResponse(passages=outcomes, token_count=request.max_tokens - left)


def plain_prompt(request: composer.ComposeRequest, encoding: Encoding) -> composer.ComposeResponse:
    """For Compose: the same parts in the same order, passages under a bare number and title."""
    blocks = [
        f"[{number}] {' > '.join(item.title_path)}\n{request.gap.join(item.pieces)}"
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
        evidence=[
            composer.ComposedEvidence(
                index=index, citation=index + 1, text=request.gap.join(request.evidence[index].pieces)
            )
            for index in range(len(blocks))
        ],
        sections=[message_pb2.SectionTokens(section=section, token_count=n) for section, n in tokens.items()],
        token_count=tokens.total(),
    )
