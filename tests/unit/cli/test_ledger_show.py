"""What a record looks like on a terminal."""

import pytest

from scic import errors
from scic.cli.show_ledger import LISTING_HEADER, listing_line, show_prompt, show_record
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.type.v1 import degradation_pb2, message_pb2, score_pb2, trust_pb2
from tests.unit.cli.screen import shown

SCORE = score_pb2.Score(value=0.9, lexical_part=0.5, dense_part=0.4, recency=1.0, novelty=0.8)
RECORD = pb.Record(
    record_id="01kazz0000000000000000000a",
    key_id="sales",
    request=context.BuildContextRequest(question="How do I rotate [the] keys?", request_id="r-1"),
    response=context.BuildContextResponse(
        request_id="r-1",
        messages=[
            message_pb2.Message(role=message_pb2.ROLE_SYSTEM, content="Answer."),
            message_pb2.Message(role=message_pb2.ROLE_USER, content="How do I rotate [the] keys?"),
        ],
        evidence=[
            context.Evidence(
                citation=1,
                passage_id="keys.md#3",
                source="docs",
                title_path=["keys.md", "Rotation [new]"],
                fate=context.Evidence.FATE_COMPRESSED,
                original_token_count=80,
                token_count=30,
                score=SCORE,
                trust=trust_pb2.TRUST_LABEL_TRUSTED,
            )
        ],
        dropped=[
            context.DroppedPassage(
                passage_id="old.md#1",
                source="docs",
                token_count=400,
                reason=context.DroppedPassage.REASON_SECTION_FULL,
                score=score_pb2.Score(value=0.2, lexical_part=0.12, dense_part=0.08, recency=1, novelty=1),
            ),
            context.DroppedPassage(
                passage_id="copy.md#1",
                source="docs",
                reason=context.DroppedPassage.REASON_DUPLICATE,
                duplicate_of="keys.md#3",
            ),
        ],
        tokens=context.TokenUsage(
            total=500,
            max_tokens=1000,
            sections=[
                message_pb2.SectionTokens(section=message_pb2.SECTION_EVIDENCE, token_count=500),
                message_pb2.SectionTokens(section=message_pb2.SECTION_TOOLS),
            ],
        ),
        cache=context.CACHE_STATUS_MISS,
        model="gpt-4o",
        encoding="o200k_base",
        profile="support",
        profile_version="0011223344556677",
        corpus_version=7,
        degradations=[
            degradation_pb2.Degradation(
                stage=degradation_pb2.STAGE_COMPOSE, reason="STAGE_UNAVAILABLE", detail="written by the gateway"
            )
        ],
    ),
)
RECORD.create_time.FromJsonString("2026-11-26T12:00:00Z")
RECORD.duration.FromMilliseconds(40)
RECORD.response.timings.add(stage=degradation_pb2.STAGE_SELECT).duration.FromMilliseconds(10)
RECORD.response.timings.add(stage=degradation_pb2.STAGE_COMPRESS).duration.FromMilliseconds(20)
RECORD.response.quality.relevance = 0.75
RECORD.response.quality.recommendations.add(detail="Ask for 700 tokens.")


@pytest.fixture(scope="module")
def explained() -> str:
    return shown(show_record, RECORD)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("How do I rotate [the] keys?", id="question"),
        pytest.param("request r-1", id="the request's name"),
        pytest.param("2026-11-26T12:00:00Z · key sales", id="whose it is"),
        pytest.param("model gpt-4o (o200k_base) · cache miss · corpus version 7", id="versions"),
        pytest.param("profile support@0011223344556677", id="profile"),
        pytest.param("10.0 25%", id="share of select"),
        pytest.param("20.0 50%", id="share of compress"),
        pytest.param("gateway", id="what no stage took"),
        pytest.param("[1] keys.md#3 · Rotation [new]", id="evidence"),
        pytest.param("fate tokens score (bm25+cosine) source and trust", id="headings"),
        pytest.param("compressed 80 → 30 0.90 (.50+.40) x1 x.80 docs trusted", id="what became of evidence"),
        pytest.param("score: (bm25 + cosine) x recency x novelty", id="how the score is made"),
        pytest.param("- old.md#1", id="what was left out"),
        pytest.param("out: section full 400 → 0 0.20 (.12+.08) docs", id="why it was left out"),
        pytest.param("- copy.md#1 · the same as keys.md#3", id="of what it was a duplicate"),
        pytest.param("out: duplicate - docs", id="not ranked"),
        pytest.param("500 of 1000", id="budget"),
        pytest.param("relevance 0.75", id="quality"),
        pytest.param("hint Ask for 700 tokens.", id="recommendation"),
        pytest.param("degraded compose: written by the gateway (STAGE_UNAVAILABLE)", id="degradation"),
    ],
)
def test_a_record_explains_itself(explained: str, line: str) -> None:
    assert line in "\n".join(" ".join(one.split()) for one in explained.splitlines())


def test_the_name_of_a_record_stands_alone_on_its_line(explained: str) -> None:
    assert f"record {RECORD.record_id}" in explained.splitlines()


def test_stages_follow_one_another(explained: str) -> None:
    """Each bar begins where the one before it ends."""
    bars = [line[10:42] for line in explained.splitlines() if line.startswith(("select", "compress ", "gateway"))]
    begins = [len(bar) - len(bar.lstrip()) for bar in bars]
    ends = [len(bar.rstrip()) for bar in bars]
    assert begins == [0, ends[0], ends[1]]
    assert [end - begin for begin, end in zip(begins, ends, strict=True)] == [8, 16, 8]


def test_sections_without_tokens_are_not_shown(explained: str) -> None:
    assert "tools" not in explained


def test_a_failed_request_says_why() -> None:
    failed = pb.Record(record_id="01kazz", request=RECORD.request, create_time=RECORD.create_time)
    failed.error.CopyFrom(errors.to_status(errors.BUDGET_TOO_SMALL.error("at least 300 tokens are needed")))
    text = shown(show_record, failed)
    assert "failed BUDGET_TOO_SMALL: at least 300 tokens are needed" in text
    assert "candidate" not in text
    failed.request.ClearField("question")
    assert shown(show_record, failed).startswith("request r-1 failed: BUDGET_TOO_SMALL ─")


def test_the_prompt_is_shown_as_it_is() -> None:
    assert [line.rstrip(" ─") for line in shown(show_prompt, RECORD.response.messages).splitlines()] == [
        "system",
        "Answer.",
        "user",
        "How do I rotate [the] keys?",
    ]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        pytest.param({}, "built", id="built"),
        pytest.param({"cache": context.CACHE_STATUS_HIT}, "cached", id="cached"),
        pytest.param({"degraded": True}, "degraded", id="degraded"),
        pytest.param({"error_reason": "BUDGET_TOO_SMALL", "degraded": True}, "BUDGET_TOO_SMALL", id="failed"),
    ],
)
def test_a_listing_has_columns_and_the_question_last(fields, outcome: str) -> None:
    row = pb.RecordSummary(
        record_id=RECORD.record_id,
        create_time=RECORD.create_time,
        question="Two\nlines?",
        token_count=500,
        max_tokens=1000,
        evidence_count=3,
        dropped_count=12,
        duration=RECORD.duration,
        **fields,
    )
    line = listing_line(row)
    assert line.split() == [
        "2026-11-26T12:00:00Z", RECORD.record_id, "500/1000", "3", "12", "40.0", outcome, "Two", "lines?",
    ]  # fmt: skip
    assert LISTING_HEADER.index("question") == line.index("Two")
