"""What two contexts differ in is said, and what always differs is not."""

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.type.v1 import message_pb2, prompt_pb2, source_pb2
from services.gateway.ledger.diff import diff
from tests.unit.gateway.ledger.records import record


def changed_fields(before: pb.Record, after: pb.Record) -> dict[str, tuple[str, str]]:
    return {change.field: (change.before, change.after) for change in diff(before, after).fields}


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.booleans())
def test_a_record_does_not_differ_from_itself_at_another_time(documents: list[str], degraded: bool) -> None:
    one = record(1, *documents, degraded=degraded)
    other = record(2, *documents, degraded=degraded, at=1.0, request_id="another", key_id="other")
    other.duration.FromMilliseconds(999)
    other.response.timings.add().duration.FromMilliseconds(3)
    assert diff(one, other) == pb.ContextDiff()


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        pytest.param("request.question", '"How do I rotate the keys?"', '"Why?"', id="question"),
        pytest.param("request.max_tokens", "1000", "500", id="budget"),
        pytest.param("response.profile_version", "", '"0011223344556677"', id="version"),
        pytest.param("response.corpus_version", '"7"', '"8"', id="corpus"),
        pytest.param("response.cache", '"CACHE_STATUS_MISS"', '"CACHE_STATUS_HIT"', id="cache"),
        pytest.param(
            "request.sources", "", '[{"limit": 3, "name": "docs", "required": true}]', id="a list of messages"
        ),
    ],
)
def test_fields_that_differ_are_named(field: str, before: str, after: str) -> None:
    one, other = record(1, "a.md"), record(2, "a.md")
    other.request.question = "Why?"
    other.request.max_tokens = 500
    other.request.sources.add(name="docs", limit=3, required=True)
    other.response.profile_version = "0011223344556677"
    other.response.corpus_version = 8
    other.response.cache = context.CACHE_STATUS_HIT
    changes = changed_fields(one, other)
    assert changes[field] == (before, after)
    assert len(changes) == 6


REQUEST = context.BuildContextRequest(
    question="Why?",
    max_tokens=500,
    model="gpt-4",
    profile="support@canary",
    sources=[context.SourceSelection(name="docs")],
    filter=[source_pb2.MetadataCondition(key="team", any_of=["sales"])],
    conversation=[message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text="Hello.")],
    passages=[context.InlinePassage(text="Keys are rotated by hand.")],
    request_id="another",
    conversation_id="c-51",
    reserved_output_tokens=0,
    render=prompt_pb2.PROMPT_FORMAT_ANTHROPIC,
    cache=cache_pb2.CacheDirective(mode=cache_pb2.CacheDirective.MODE_REFRESH),
)


@pytest.mark.parametrize("field", context.BuildContextRequest.DESCRIPTOR.fields_by_name)
def test_every_field_of_the_request_but_its_name_is_compared(field: str) -> None:
    """Also one that the proto gets later: REQUEST sets all."""
    before = pb.Record(request=REQUEST)
    after = pb.Record(request=REQUEST)
    assert field in {one.name for one, _ in REQUEST.ListFields()}
    if field == "question":
        after.request.question = "When?"
    else:
        after.request.ClearField(field)  # type: ignore[arg-type]  # any of them
    assert list(changed_fields(before, after)) == ([] if field == "request_id" else [f"request.{field}"])


def test_candidates_with_another_fate_are_named_in_the_order_of_the_prompts() -> None:
    before = record(1, "same.md", "lost.md", "shorter.md", dropped=["found.md", "still-out.md", "gone.md"])
    after = record(2, "found.md", "same.md", "shorter.md", dropped=["lost.md", "still-out.md", "new.md"])
    shorter = after.response.evidence[2]
    shorter.fate, shorter.token_count, shorter.text = context.Evidence.FATE_COMPRESSED, 2, "Keys …"
    changes = diff(before, after).passages
    assert [(change.passage_id, change.before.fate, change.after.fate, change.text_changed) for change in changes] == [
        ("found.md#0", "DROPPED: BUDGET", "WHOLE", True),
        ("shorter.md#0", "WHOLE", "COMPRESSED", True),
        ("lost.md#0", "WHOLE", "DROPPED: BUDGET", True),
        ("new.md#0", "ABSENT", "DROPPED: BUDGET", False),
        ("gone.md#0", "DROPPED: BUDGET", "ABSENT", False),
    ]
    assert MessageToDict(changes[0]) == {
        "passageId": "found.md#0",
        "title": "found.md > Keys",
        "before": {"fate": "DROPPED: BUDGET", "score": 0.2},
        "after": {"citation": 1, "fate": "WHOLE", "tokenCount": 6, "score": 0.9},
        "textChanged": True,
    }


def test_sections_that_differ_are_named() -> None:
    before, after = record(1), record(2)
    after.response.tokens.sections[0].token_count = 90
    after.response.tokens.sections.add(section=message_pb2.SECTION_TOOLS, token_count=10)
    assert list(diff(before, after).sections) == [
        pb.ContextDiff.SectionChange(section=message_pb2.SECTION_EVIDENCE, before=100, after=90),
        pb.ContextDiff.SectionChange(section=message_pb2.SECTION_TOOLS, after=10),
    ]


def test_quality_stands_beside_quality() -> None:
    before, after = record(1), record(2)
    before.response.quality.relevance = 0.25
    found = diff(before, after)
    assert found.quality_before.relevance == 0.25
    assert not found.HasField("quality_after")
    assert not found.fields


ANSWERED, TOO_SMALL = '"answered"', '"BUDGET_TOO_SMALL: too small"'


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        pytest.param(record(1, "a.md"), record(2, failed=True), (ANSWERED, TOO_SMALL), id="answered, then failed"),
        pytest.param(record(1, failed=True), record(2, "a.md"), (TOO_SMALL, ANSWERED), id="failed, then answered"),
        pytest.param(record(1, failed=True), record(2, failed=True), None, id="failed for the same reason"),
    ],
)
def test_of_a_failed_request_its_outcome_is_all_that_differs(
    before: pb.Record, after: pb.Record, outcome: tuple[str, str] | None
) -> None:
    before.request.max_tokens = 500
    assert MessageToDict(diff(before, after)).keys() == {"fields"}
    assert changed_fields(before, after) == {
        "request.max_tokens": ("500", "1000"),
        **({"outcome": outcome} if outcome else {}),
    }


def test_of_a_request_whose_text_was_not_kept_only_the_budget_is_compared() -> None:
    before, after = record(1, "a.md"), record(2, failed=True, question="")
    before.request.profile = "support"
    after.request.max_tokens = 100
    assert changed_fields(before, after).keys() == {"request.max_tokens", "outcome"}
