"""Wire to domain and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as pb
from scic.type.v1 import compression_pb2, retention_pb2, source_pb2, span_pb2
from services.compressor.decision import Price
from services.compressor.fill import Section
from services.compressor.passage import CompressedPassage, CompressInput, CompressOutput, Fate, Passage, Reason
from services.compressor.pins.patterns import PatternError, compile_patterns
from services.compressor.pins.pin import PinType
from services.text.shortening import DecisionReason, Level
from services.text.tokens import ENCODING_NAMES, Encoding, UnknownModelError, encoding_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS: Mapping[source_pb2.SourceKind.ValueType, str] = {
    source_pb2.SOURCE_KIND_DOCS: "docs",
    source_pb2.SOURCE_KIND_CODE: "code",
    source_pb2.SOURCE_KIND_HISTORY: "history",
}
_LEVELS = {
    Level.NONE: compression_pb2.COMPRESSION_LEVEL_NONE,
    Level.LIGHT: compression_pb2.COMPRESSION_LEVEL_LIGHT,
    Level.MEDIUM: compression_pb2.COMPRESSION_LEVEL_MEDIUM,
    Level.HEAVY: compression_pb2.COMPRESSION_LEVEL_HEAVY,
}
_DECISION_REASONS = {
    DecisionReason.FITS: compression_pb2.CompressionDecision.REASON_FITS,
    DecisionReason.OVER_BUDGET: compression_pb2.CompressionDecision.REASON_OVER_BUDGET,
    DecisionReason.PROMPT_CACHE_CHEAPER: compression_pb2.CompressionDecision.REASON_PROMPT_CACHE_CHEAPER,
    DecisionReason.EMPTY: compression_pb2.CompressionDecision.REASON_EMPTY,
}
_PIN_TYPES = {
    PinType.NUMBER: retention_pb2.PIN_TYPE_NUMBER,
    PinType.DATE: retention_pb2.PIN_TYPE_DATE,
    PinType.IDENTIFIER: retention_pb2.PIN_TYPE_IDENTIFIER,
    PinType.NEGATION: retention_pb2.PIN_TYPE_NEGATION,
    PinType.URL: retention_pb2.PIN_TYPE_URL,
    PinType.CODE: retention_pb2.PIN_TYPE_CODE,
    PinType.CITATION: retention_pb2.PIN_TYPE_CITATION,
    PinType.PATTERN: retention_pb2.PIN_TYPE_PATTERN,
}
_REASONS = {
    Reason.FITS: pb.CompressedPassage.REASON_FITS,
    Reason.BEST_UNITS: pb.CompressedPassage.REASON_BEST_UNITS,
    Reason.HEAD: pb.CompressedPassage.REASON_HEAD,
    Reason.LESS_RELEVANT: pb.CompressedPassage.REASON_LESS_RELEVANT,
    Reason.TOO_LARGE: pb.CompressedPassage.REASON_TOO_LARGE,
    Reason.EMPTY: pb.CompressedPassage.REASON_EMPTY,
    Reason.CONTRACT: pb.CompressedPassage.REASON_CONTRACT,
    Reason.SUMMARY: pb.CompressedPassage.REASON_SUMMARY,
    Reason.SECTION_FULL: pb.CompressedPassage.REASON_SECTION_FULL,
}


def read_request(request: pb.CompressRequest) -> CompressInput:
    """What to compress. Raises ScicError UNKNOWN_MODEL or INVALID_FIELD, naming the field."""
    if len(request.question_vector) % 4:
        raise _invalid("question_vector", "must be little-endian 32-bit floats")
    sections = tuple(map(_section, request.sections)) or (Section(),)
    if sum(section.min_tokens for section in sections) > request.max_tokens:
        raise _invalid("sections", f"min_tokens of all together must be at most max_tokens, {request.max_tokens}")
    for index, section in enumerate(sections):
        if section.max_tokens is not None and section.max_tokens < section.min_tokens:
            raise _invalid(f"sections[{index}].max_tokens", f"must be at least min_tokens, {section.min_tokens}")
    for index, passage in enumerate(request.passages):
        if passage.section >= len(sections):
            raise _invalid(f"passages[{index}].section", f"must be below {len(sections)}, the number of sections")
    patterns = tuple(request.pin_patterns)
    try:
        compile_patterns(patterns)
    except PatternError as error:
        raise _invalid(
            f"pin_patterns[{error.index}]", f"must be an RE2 pattern of some text; {error.message}"
        ) from None
    return CompressInput(
        question=request.question,
        question_vector=np.frombuffer(request.question_vector, "<f4") if request.question_vector else None,
        passages=tuple(
            Passage(
                id=str(index),
                title=" > ".join(passage.title_path),
                text=passage.text,
                kind=KINDS[passage.kind],
                prepared=passage.prepared or None,
                score=passage.score,
                section=passage.section,
            )
            for index, passage in enumerate(request.passages)
        ),
        max_tokens=request.max_tokens,
        encoding=_encoding(request.encoding),
        overhead_tokens=request.overhead_tokens,
        gap=request.gap or " ",
        sections=sections,
        pin_patterns=patterns,
        target_tokens=request.target_tokens or None,
        price=_price(request.price) if request.HasField("price") else None,
        prompt_cached=request.prompt_cached,
    )


def write_response(
    output: CompressOutput, *, seconds: float, plain_cut: bool, degraded_reason: str
) -> pb.CompressResponse:
    """What became of it.

    Args:
        output: the result.
        seconds: what it took.
        plain_cut: whether the plain cut stood in for the scored one.
        degraded_reason: of the error catalogue; empty where nothing was done less well than asked.
    """
    return pb.CompressResponse(
        passages=[_passage(index, passage) for index, passage in enumerate(output.passages)],
        token_count=output.token_count,
        degraded_reason=degraded_reason,
        decision=_decision(output, _method(output, plain_cut=plain_cut), seconds),
        retention=_retention(output.passages),
        sections=[
            pb.SectionUse(token_count=use.token_count, passage_count=use.passage_count) for use in output.section_uses
        ],
    )


def _section(section: pb.BudgetSection) -> Section:
    return Section(section.priority or 1.0, section.min_tokens, section.max_tokens or None)


def _price(price: pb.TokenPrice) -> Price:
    return Price(price.input_usd, price.cached_input_usd if price.HasField("cached_input_usd") else None)


def _encoding(name: str) -> Encoding:
    try:
        return encoding_for(name)
    except UnknownModelError:
        valid = ", ".join(ENCODING_NAMES)
        raise errors.UNKNOWN_MODEL.error(
            f"encoding {name[:64]!r} is not known",
            metadata={"valid": valid},
            field_violations=[("encoding", f"must be one of: {valid}")],
        ) from None


def _invalid(field: str, description: str) -> errors.ScicError:
    return errors.INVALID_FIELD.error(f"{field} {description}", field_violations=[(field, description)])


def _passage(index: int, passage: CompressedPassage) -> pb.CompressedPassage:
    return pb.CompressedPassage(
        index=index,
        spans=[span_pb2.Span(start=start, end=end) for start, end in passage.spans],
        token_count=passage.token_count,
        original_token_count=passage.original_token_count,
        raw=passage.raw,
        text=passage.text if passage.fate is Fate.COMPRESSED else "",
        reason=_REASONS[passage.reason],
        kept_pins=sum(passage.kept_pins),
        dropped_pins=sum(passage.dropped_pins),
    )


def _method(output: CompressOutput, *, plain_cut: bool) -> compression_pb2.CompressionMethod.ValueType:
    if output.decision.level is Level.NONE:
        return compression_pb2.COMPRESSION_METHOD_NONE
    if plain_cut:
        return compression_pb2.COMPRESSION_METHOD_PLAIN_CUT
    if any(passage.reason is Reason.SUMMARY for passage in output.passages):
        return compression_pb2.COMPRESSION_METHOD_SUMMARY
    return compression_pb2.COMPRESSION_METHOD_EXTRACTIVE


def _decision(
    output: CompressOutput, method: compression_pb2.CompressionMethod.ValueType, seconds: float
) -> compression_pb2.CompressionDecision:
    decision = output.decision
    written = compression_pb2.CompressionDecision(
        level=_LEVELS[decision.level],
        method=method,
        reason=_DECISION_REASONS[decision.reason],
        detail=decision.detail(output.token_count),
        original_token_count=decision.whole,
        max_tokens=decision.bound,
        token_count=output.token_count,
        original_cost_usd=decision.cost(decision.whole),
        cost_usd=decision.cost(output.token_count),
        cached_cost_usd=decision.cached_cost,
    )
    written.duration.FromNanoseconds(int(seconds * 1e9))
    return written


def _retention(passages: Sequence[CompressedPassage]) -> retention_pb2.Retention:
    """The counts by type. None is breached: `compress` lets no part out that its check found a maimed pin in."""
    kept = map(sum, zip(*(passage.kept_pins for passage in passages), strict=True))
    dropped = map(sum, zip(*(passage.dropped_pins for passage in passages), strict=True))
    return retention_pb2.Retention(
        pins=[
            retention_pb2.PinCount(type=_PIN_TYPES[kind], kept=stay, dropped=go)
            # Without passages there is nothing to add up, and no type.
            for kind, stay, go in zip(PinType, kept, dropped, strict=bool(passages))
            if stay or go
        ]
    )
