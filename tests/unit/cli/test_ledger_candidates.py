"""How candidates look: what each is, what became of it, and what the guard did."""

import pytest

from scic.cli.show import show_context, show_plan
from scic.cli.show_candidates import show_candidates
from scic.gateway.v1 import context_service_pb2 as context
from scic.type.v1 import prompt_pb2, score_pb2, trust_pb2
from tests.unit.cli.screen import guarded, shown


def candidate_lines(*evidence: context.Evidence, **fields) -> list[str]:
    """How candidates look in 80 columns, below the headings."""
    reply = context.BuildContextResponse(evidence=evidence, **fields)
    return [line.rstrip() for line in shown(show_candidates, reply, width=80).splitlines()[2:]]


def test_in_80_columns_a_candidate_takes_two_lines() -> None:
    score = score_pb2.Score(value=0.57, lexical_part=0.24, dense_part=0.41, recency=0.93, novelty=0.95)
    one = context.Evidence(
        citation=12,
        passage_id="handbook/operations/keys.md#31",
        title_path=["Handbook", "API keys", "Rotation without downtime"],
        source="history",
        trust=trust_pb2.TRUST_LABEL_UNTRUSTED,
        fate=context.Evidence.FATE_SUMMARISED,
        original_token_count=1310,
        token_count=410,
        score=score,
    )
    turn = context.DroppedPassage(
        passage_id="conversation/0",
        source="conversation",
        reason=context.DroppedPassage.REASON_SECTION_FULL,
        token_count=96,
    )
    assert candidate_lines(one, dropped=[turn]) == [
        "[12] handbook/operations/keys.md#31 · API keys > Rotation without downtime",
        "     summarised         1310 → 410  0.57 (.24+.41) x.93 x.95  history untrusted",
        "-    conversation/0",
        "     out: section full  96 → 0      -                         conversation",
        "score: (bm25 + cosine) x recency x novelty",
    ]


def test_a_long_id_folds_at_its_parts_and_a_score_of_0_is_no_absent_one() -> None:
    one = context.Evidence(
        citation=1,
        passage_id=f"{'handbook/' * 8}keys.md#31",
        title_path=["Handbook", "Rotation"],
        fate=context.Evidence.FATE_WHOLE,
        score=score_pb2.Score(recency=1, novelty=1),
    )
    assert candidate_lines(one) == [
        f"[1] {'handbook/' * 8}",
        "    keys.md#31 · Rotation",
        "    whole  0       0.00 (.00+.00)",
    ]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        pytest.param({}, "out: guard", id="no type"),
        pytest.param({"EMAIL": "DROP"}, "out: guard (email)", id="one type"),
        pytest.param({"EMAIL": "DROP", "SECRET": "REFUSE", "PHONE": "MASK"}, "out: guard (email, secret)", id="types"),
    ],
)
def test_what_the_guard_kept_out_names_the_types(rules: dict[str, str], says: str) -> None:
    dropped = [context.DroppedPassage(passage_id="a.md#0", reason=context.DroppedPassage.REASON_GUARD)]
    *_, facts = candidate_lines(dropped=dropped, isolation=guarded(rules))
    assert facts.strip().split("  ")[0] == says


@pytest.mark.parametrize(
    ("text", "rules", "fate"),
    [
        pytest.param("Ask [EMAIL_1].", {"EMAIL": "MASK"}, "whole, masked", id="masked"),
        pytest.param("Ask [PAYMENT_CARD_12].", {"PAYMENT_CARD": "MASK"}, "whole, masked", id="of two words"),
        pytest.param("Ask [EMAIL_1].", {"PHONE": "MASK"}, "whole", id="a text that looks like it"),
        pytest.param("Ask [0].", {"EMAIL": "MASK"}, "whole", id="nothing masked"),
    ],
)
def test_what_is_masked_says_so(text: str, rules: dict[str, str], fate: str) -> None:
    one = context.Evidence(citation=1, passage_id="a.md#0", text=text, fate=context.Evidence.FATE_WHOLE)
    assert candidate_lines(one, isolation=guarded(rules))[1].strip().split("  ")[0] == fate


@pytest.mark.parametrize(
    ("count", "says"),
    [
        pytest.param(0, "", id="none"),
        pytest.param(1, "guard 1 passage was kept out by the guard (email)", id="one"),
        pytest.param(2, "guard 2 passages were kept out by the guard (email)", id="two"),
    ],
)
def test_without_explaining_what_the_guard_kept_out_is_counted(count: int, says: str) -> None:
    dropped = [context.DroppedPassage(reason=context.DroppedPassage.REASON_GUARD)] * count
    isolation = guarded({"EMAIL": "DROP"})
    isolation.defused.add(type=prompt_pb2.IMITATION_TYPE_SPECIAL_TOKEN, count=2)
    for show, reply in ((show_context, context.BuildContextResponse), (show_plan, context.PlanContextResponse)):
        lines = shown(show, reply(dropped=dropped, isolation=isolation), explain=False).splitlines()
        assert [line for line in lines if line.startswith("guard ")] == [says] * bool(count)
        assert "isolation 2 special tokens defused, 1 email dropped" in lines
