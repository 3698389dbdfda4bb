"""Records as the ledger would keep them: those of an operations team that asks its handbook."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.gateway.v1 import quality_pb2
from scic.type.v1 import (
    compression_pb2,
    degradation_pb2,
    guard_pb2,
    message_pb2,
    prompt_pb2,
    retention_pb2,
    source_pb2,
    trust_pb2,
)
from tests.unit.gateway.page.handbook import dropped, evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

_NONCE = 343600711263429197497395
_LATEST = datetime(2026, 3, 17, 14, 32, 8, tzinfo=UTC)
_SECTIONS = {
    message_pb2.SECTION_INSTRUCTIONS: 118,
    message_pb2.SECTION_POLICY: 64,
    message_pb2.SECTION_TOOLS: 87,
    message_pb2.SECTION_EXAMPLES: 71,
    message_pb2.SECTION_CONVERSATION: 52,
    message_pb2.SECTION_EVIDENCE: 402,
    message_pb2.SECTION_FENCES: 46,
    message_pb2.SECTION_QUESTION: 14,
    message_pb2.SECTION_FORMAT: 21,
    message_pb2.SECTION_RESERVED_OUTPUT: 500,
}

_QUESTIONS = (
    "How do I rotate the API keys without downtime?",
    "Which alert fires first when Redis is away, and what does on-call do?",
    "What changed in the checkout service between 2.14 and 2.15?",
    "Summarise the incident of 9 March for the customer.",
    "How long may a canary run before it is promoted?",
    "Where is the retry budget of the edge set, and why is it 50 %?",
    "Who approves a change to the price table?",
)


def timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def milliseconds(count: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(milliseconds=count))
    return duration


def messages(question: str) -> list[message_pb2.Message]:
    trusted = "\n\n".join(f"[{e.citation}] {' > '.join(e.title_path)}\n{e.text}" for e in evidence() if e.trust == 2)
    untrusted = "\n\n".join(f"[{e.citation}] {' > '.join(e.title_path)}\n{e.text}" for e in evidence() if e.trust != 2)
    roles, sections = message_pb2, message_pb2
    return [
        message_pb2.Message(
            role=roles.ROLE_SYSTEM,
            section=sections.SECTION_INSTRUCTIONS,
            content="You answer for the operations team, from the evidence alone, and cite it by its numbers. Say so "
            "where the evidence does not answer.",
        ),
        message_pb2.Message(
            role=roles.ROLE_USER, section=sections.SECTION_EXAMPLES, content="How long is a key valid?"
        ),
        message_pb2.Message(
            role=roles.ROLE_ASSISTANT,
            section=sections.SECTION_EXAMPLES,
            content="Until its entry is removed from keys.json [1].",
        ),
        message_pb2.Message(
            role=roles.ROLE_USER,
            section=sections.SECTION_CONVERSATION,
            content="We run two gateways in production and one in staging.",
        ),
        message_pb2.Message(
            role=roles.ROLE_USER,
            section=sections.SECTION_EVIDENCE,
            trust=trust_pb2.TRUST_LABEL_TRUSTED,
            content=f"[[BEGIN trusted evidence {_NONCE}]]\n{trusted}\n[[END trusted evidence {_NONCE}]]",
        ),
        message_pb2.Message(
            role=roles.ROLE_USER,
            section=sections.SECTION_EVIDENCE,
            trust=trust_pb2.TRUST_LABEL_UNTRUSTED,
            content=f"[[BEGIN untrusted evidence {_NONCE}]]\n{untrusted}\n[[END untrusted evidence {_NONCE}]]",
        ),
        message_pb2.Message(role=roles.ROLE_USER, section=sections.SECTION_QUESTION, content=question),
    ]


def quality() -> quality_pb2.Quality:
    kinds = quality_pb2.Recommendation
    return quality_pb2.Quality(
        completeness=0.83,
        relevance=0.64,
        redundancy=0.12,
        coherence=0.77,
        size_efficiency=0.58,
        recommendations=[
            kinds(
                kind=kinds.KIND_IMPROVE_RELEVANCE,
                detail="58 of 328 evidence tokens are of a passage that hardly fits the question: leave out the source "
                "mail, or filter by team.",
            ),
            kinds(
                kind=kinds.KIND_RAISE_BUDGET,
                detail="handbook/deploy.md#2 (score 0.52) was left out for want of 412 tokens: 1,800 would keep it.",
            ),
        ],
    )


def isolation() -> context.Isolation:
    return context.Isolation(
        defused=[
            prompt_pb2.ImitationCount(type=prompt_pb2.IMITATION_TYPE_ROLE_MARKER, count=1),
            prompt_pb2.ImitationCount(type=prompt_pb2.IMITATION_TYPE_HIDDEN, count=12),
        ],
        sensitive=[
            guard_pb2.SensitiveCount(type=guard_pb2.SENSITIVE_TYPE_PERSON, action=guard_pb2.GUARD_ACTION_MASK, count=1),
            guard_pb2.SensitiveCount(type=guard_pb2.SENSITIVE_TYPE_IBAN, action=guard_pb2.GUARD_ACTION_DROP, count=1),
        ],
    )


def sources() -> list[context.SourceReport]:
    report = context.SourceReport
    return [
        report(source="code", passage_count=3, duration=milliseconds(6.1), rung=report.RUNG_PRIMARY),
        report(source="docs", passage_count=6, duration=milliseconds(7.4), rung=report.RUNG_PRIMARY),
        report(source="history", passage_count=2, duration=milliseconds(5.2), required=True, rung=report.RUNG_PRIMARY),
        report(
            source="mail",
            passage_count=2,
            duration=milliseconds(40.0),
            rung=report.RUNG_CACHE,
            error_reason="STAGE_UNAVAILABLE",
            stand_in="what it gave 12 minutes ago",
        ),
    ]


def degradations() -> list[degradation_pb2.Degradation]:
    return [
        degradation_pb2.Degradation(
            stage=degradation_pb2.STAGE_SELECT,
            reason="STAGE_UNAVAILABLE",
            detail="The source mail did not answer: what it gave 12 minutes ago stands in.",
        )
    ]


def request(question: str, request_id: str) -> context.BuildContextRequest:
    return context.BuildContextRequest(
        question=question,
        max_tokens=1500,
        model="gpt-4o",
        profile="operations@live",
        request_id=request_id,
        conversation_id="c-51",
        reserved_output_tokens=500,
        sources=[context.SourceSelection(name=name) for name in ("code", "docs", "history", "mail")],
        filter=[source_pb2.MetadataCondition(key="team", any_of=["operations"])],
    )


def response(
    question: str, request_id: str, *, cache: context.CacheStatus.ValueType, degraded: bool
) -> context.BuildContextResponse:
    stages = {
        degradation_pb2.STAGE_SELECT: 11.3,
        degradation_pb2.STAGE_COMPRESS: 19.8,
        degradation_pb2.STAGE_COMPOSE: 4.6,
    }
    hit = cache == context.CACHE_STATUS_HIT
    return context.BuildContextResponse(
        request_id=request_id,
        messages=messages(question),
        evidence=evidence(),
        dropped=dropped(),
        tokens=context.TokenUsage(
            total=sum(_SECTIONS.values()),
            max_tokens=1500,
            sections=[
                message_pb2.SectionTokens(section=section, token_count=count) for section, count in _SECTIONS.items()
            ],
        ),
        timings=[]
        if hit
        else [context.StageTiming(stage=stage, duration=milliseconds(ms)) for stage, ms in stages.items()],
        degradations=degradations() if degraded else [],
        cache=cache,
        model="gpt-4o",
        encoding="o200k_base",
        profile="operations",
        profile_version="7f3a91c2",
        profile_label="live",
        corpus_version=1418,
        sources=sources(),
        compression=compression_pb2.CompressionDecision(
            level=compression_pb2.COMPRESSION_LEVEL_MEDIUM,
            method=compression_pb2.COMPRESSION_METHOD_EXTRACTIVE,
            reason=compression_pb2.CompressionDecision.REASON_OVER_BUDGET,
            detail="The passages have 821 tokens and 402 are allowed: 49 %, so the key points stay.",
            original_token_count=821,
            max_tokens=410,
            token_count=402,
            original_cost_usd=0.002052,
            cost_usd=0.001005,
        ),
        retention=retention_pb2.Retention(
            pins=[
                retention_pb2.PinCount(type=retention_pb2.PIN_TYPE_NUMBER, kept=14, dropped=5),
                retention_pb2.PinCount(type=retention_pb2.PIN_TYPE_NEGATION, kept=6, dropped=1),
            ]
        ),
        quality=quality(),
        isolation=isolation(),
        prefix_token_count=340,
    )


def record(
    number: int,
    question: str = _QUESTIONS[0],
    *,
    cache: context.CacheStatus.ValueType = context.CACHE_STATUS_MISS,
    degraded: bool = False,
    failed: bool = False,
    refused: bool = False,
) -> pb.Record:
    """The record of the request `number`; later requests have greater numbers, 47 s apart.

    Of one that is `refused` before its text was read, no text is kept.
    """
    request_id = f"req-{number:04}"
    made = pb.Record(
        record_id=f"01JPK{number:04}",
        create_time=timestamp(_LATEST - timedelta(seconds=47 * (100 - number))),
        key_id="ops-bot",
        request=request(question, request_id),
        duration=milliseconds(1.2 if cache == context.CACHE_STATUS_HIT else 41.4),
    )
    if refused:
        made.request.CopyFrom(context.BuildContextRequest(request_id=request_id, max_tokens=200))
        refusal = errors.BUDGET_TOO_SMALL.error("max_tokens is 200, but the prompt needs 973 without any evidence")
        made.error.CopyFrom(errors.to_status(refusal))
    elif failed:
        error = errors.STAGE_UNAVAILABLE.error("the composer did not answer within 900 ms")
        made.error.CopyFrom(errors.to_status(error))
    else:
        made.response.CopyFrom(response(question, request_id, cache=cache, degraded=degraded))
        made.response.record_id = made.record_id
    return made


def records(count: int = 45) -> Sequence[pb.Record]:
    """A day's records, oldest first; the newest is degraded."""
    return [
        record(
            number,
            _QUESTIONS[(100 - number) % len(_QUESTIONS)],
            cache=context.CACHE_STATUS_HIT if number % 5 == 2 else context.CACHE_STATUS_MISS,
            degraded=number in {100, 91, 70},
            failed=number in {96, 80},
            refused=number == 95,
        )
        for number in range(101 - count, 101)
    ]
