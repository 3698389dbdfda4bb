"""How the difference of two contexts looks."""

import json

import pytest

from scic.cli.show_context_diff import show_context_diff
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.gateway.v1 import profile_service_pb2 as profiles
from scic.gateway.v1 import quality_pb2
from scic.type.v1 import message_pb2
from tests.unit.cli.screen import shown


def test_a_difference_is_shown_by_what_differs() -> None:
    state = pb.ContextDiff.PassageState
    diff = pb.ContextDiff(
        fields=[profiles.FieldChange(field="request.max_tokens", before="1000", after="500")],
        passages=[
            pb.ContextDiff.PassageChange(
                passage_id="keys.md#3",
                title="Keys [new]",
                before=state(citation=1, fate="WHOLE", token_count=80),
                after=state(citation=2, fate="COMPRESSED", token_count=1),
                text_changed=True,
            ),
            pb.ContextDiff.PassageChange(
                passage_id="old.md#1", before=state(fate="ABSENT"), after=state(fate="DROPPED: SECTION_FULL")
            ),
        ],
        sections=[pb.ContextDiff.SectionChange(section=message_pb2.SECTION_EVIDENCE, before=80, after=30)],
    )
    hints = quality_pb2.Recommendation
    diff.quality_before.relevance = 0.504
    diff.quality_before.recommendations.add(kind=hints.KIND_RAISE_BUDGET, detail="1,200 would do.")
    diff.quality_before.recommendations.add(kind=hints.KIND_ADD_SOURCES, detail="Search code [too].")
    diff.quality_after.relevance = 0.747
    diff.quality_after.recommendations.add(kind=hints.KIND_RAISE_BUDGET, detail="1,300 would do.")
    diff.quality_after.recommendations.add(kind=hints.KIND_LOWER_BUDGET, detail="700 would do.")
    lines = [" ".join(line.split()) for line in shown(show_context_diff, diff).splitlines()]
    assert lines == [
        "request.max_tokens: 1000 → 500",
        "passage before after",
        "keys.md#3 · Keys [new] [1] whole, 80 tokens [2] compressed, 1 token, other text",
        "old.md#1 absent out: section full",
        "tokens before after",
        "evidence 80 30 (-50)",
        "quality before after",
        "relevance 0.50 0.75 (+0.25)",
        "- hint Search code [too].",
        "+ hint 700 would do.",
    ]


LONG = "Keys are rotated by hand. " * 20


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param('"a"', "", ["x: a → (not set)"], id="one value"),
        pytest.param('"PROMPT_FORMAT_OPENAI"', "2", ["x: openai → 2"], id="an enum"),
        pytest.param("", '["a"]', ["x:", "  + a"], id="a list that was not set"),
        pytest.param('["a", "b"]', '["b", "c"]', ["x:", "  - a", "  + c"], id="what came and went"),
        pytest.param('["a", "b"]', '["b", "a"]', ["x:", "  - a", "  - b", "  + b", "  + a"], id="another order"),
        pytest.param('[{"limit": 3, "name": "[docs]"}]', "", ["x:", "  - limit: 3; name: [docs]"], id="messages"),
        pytest.param(json.dumps([LONG]), "", ["x:", f"  - {LONG[:199]}…"], id="a long text"),
    ],
)
def test_fields_that_differ_are_lines_and_no_json(before: str, after: str, lines: list[str]) -> None:
    diff = pb.ContextDiff(fields=[profiles.FieldChange(field="x", before=before, after=after)])
    assert shown(show_context_diff, diff).splitlines() == lines


def test_a_quality_that_is_missing_is_not_0() -> None:
    diff = pb.ContextDiff(quality_before=quality_pb2.Quality(relevance=0.5))
    lines = [" ".join(line.split()) for line in shown(show_context_diff, diff).splitlines()]
    assert "relevance 0.50 -" in lines


def test_where_nothing_differs_that_is_said() -> None:
    same = quality_pb2.Quality(relevance=0.5)
    assert shown(show_context_diff, pb.ContextDiff(quality_before=same, quality_after=same)) == "nothing differs\n"
