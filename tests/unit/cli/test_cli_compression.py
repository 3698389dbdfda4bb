"""What compression looks like: what stayed, what went, and the figures."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from scic.cli.show import show_context, show_plan
from scic.cli.show_compression import show_diff, show_figures
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import compression_pb2, degradation_pb2, retention_pb2, span_pb2
from tests.laptop import LaptopMesh, run_scic
from tests.mesh.corpus import MARKDOWN

TEXT = "One stays.\nTwo goes.\n\nThree stays."
DECISION = compression_pb2.CompressionDecision(
    level=compression_pb2.COMPRESSION_LEVEL_MEDIUM,
    method=compression_pb2.COMPRESSION_METHOD_EXTRACTIVE,
    reason=compression_pb2.CompressionDecision.REASON_OVER_BUDGET,
    detail="medium: 12 tokens to 6, 8 allowed, which saves $0.000015 a call",
    original_token_count=12,
    max_tokens=8,
    token_count=6,
    original_cost_usd=0.00003,
    cost_usd=0.000015,
    cached_cost_usd=0.00001,
)
DECISION.duration.FromMilliseconds(12)
RETENTION = retention_pb2.Retention(
    pins=[
        retention_pb2.PinCount(type=retention_pb2.PIN_TYPE_NUMBER, kept=2, dropped=1),
        retention_pb2.PinCount(type=retention_pb2.PIN_TYPE_NEGATION, kept=1),
    ]
)
COMPRESSED = pb.CompressTextResponse(
    text="One stays.\n…\nThree stays.",
    spans=[span_pb2.Span(start=0, end=10), span_pb2.Span(start=22, end=34)],
    decision=DECISION,
    retention=RETENTION,
    encoding="o200k_base",
)


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, color_system="standard" if terminal else None)


def printed(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


def test_the_figures_say_what_was_done_and_why() -> None:
    screen = console()
    show_figures(screen, COMPRESSED)
    assert printed(screen).splitlines() == [
        "tokens 12 → 6 (o200k_base) in 12 ms",
        "compression medium: 12 tokens to 6, 8 allowed, which saves $0.000015 a call (extractive)",
        "cost $0.000030 → $0.000015 a call; whole from the prompt cache $0.000010",
        "pins 3 kept, 1 dropped, 0 breached: number 2 of 3, negation 1 of 1",
    ]


def test_without_a_price_nothing_is_said_of_cost() -> None:
    compressed = pb.CompressTextResponse(decision=DECISION)
    for field in ("original_cost_usd", "cost_usd", "cached_cost_usd"):
        compressed.decision.ClearField(field)
    screen = console()
    show_figures(screen, compressed)
    assert "cost" not in printed(screen).replace("which saves", "")
    assert "pins" not in printed(screen)


def test_what_stood_in_is_said() -> None:
    compressed = pb.CompressTextResponse(
        decision=DECISION,
        degradations=[
            degradation_pb2.Degradation(
                stage=degradation_pb2.STAGE_COMPRESS, reason="STAGE_UNAVAILABLE", detail="words alone decided"
            )
        ],
    )
    screen = console()
    show_figures(screen, compressed)
    assert "degraded compress: words alone decided (STAGE_UNAVAILABLE)" in printed(screen)


def test_without_colour_what_went_stands_in_marks() -> None:
    screen = console()
    show_diff(screen, COMPRESSED, text=TEXT, name="a.md", question="What stays?")
    head, *body = printed(screen).splitlines()
    assert head.startswith("a.md · What stays? ─")
    assert body[:4] == ["One stays.", "[-Two goes.-]", "", "Three stays."]
    assert body[4].startswith("50% of the tokens left ─")
    assert body[5].startswith("tokens 12 → 6")


def test_on_a_terminal_what_went_is_struck_through() -> None:
    screen = console(terminal=True)
    show_diff(screen, COMPRESSED, text=TEXT, name="a.md", question="What stays?")
    assert "One stays.\n" in printed(screen).replace("\x1b[0m", "")
    assert "\x1b[2;9;31mTwo goes.\x1b[0m" in printed(screen)
    assert "[-" not in printed(screen)


@pytest.mark.parametrize("text", ["[bold]no markup[/bold]", "a [link=x] b"])
def test_markup_in_a_text_is_text(text: str) -> None:
    screen = console()
    compressed = pb.CompressTextResponse(spans=[span_pb2.Span(start=0, end=len(text))], decision=DECISION)
    show_diff(screen, compressed, text=text, name="[x].md", question="[y]?")
    assert text in printed(screen)
    assert "[x].md · [y]?" in printed(screen)


def test_contexts_and_plans_show_the_decision_and_why_passages_were_dropped() -> None:
    reasons = [value.number for value in pb.DroppedPassage.Reason.DESCRIPTOR.values if value.number]
    dropped = [pb.DroppedPassage(passage_id="a#0", reason=pb.DroppedPassage.Reason.ValueType(n)) for n in reasons]
    built, planned = console(), console()
    show_context(
        built, pb.BuildContextResponse(compression=DECISION, retention=RETENTION, dropped=dropped), explain=True
    )
    show_plan(planned, pb.PlanContextResponse(compression=DECISION, retention=RETENTION, dropped=dropped), explain=True)
    for shown in (printed(built), printed(planned)):
        assert DECISION.detail in shown
        assert "pins 3 kept, 1 dropped, 0 breached" in shown
        for reason in ("budget", "too large", "contract", "section full", "empty"):
            assert reason in shown


def test_without_passages_nothing_is_said_of_compression() -> None:
    screen = console()
    show_context(screen, pb.BuildContextResponse(), explain=False)
    assert "compression" not in printed(screen)


@pytest.mark.e2e
def test_a_file_is_compressed_from_the_command_line(laptop_mesh: LaptopMesh, tmp_path: Path) -> None:
    (tmp_path / "herons.md").write_text(MARKDOWN)
    common = ("herons.md", "-q", "What does the heron eat?", "--data-dir", str(laptop_mesh.data_dir))
    done = run_scic("compress", *common, "--ratio", "0.3", cwd=tmp_path)
    assert "The grey heron eats 300 grams of fish a day." in done.stdout
    assert len(done.stdout) < len(MARKDOWN) / 2
    assert [part for part in ("tokens ", "heavy: ", "cost $", " 0 breached") if part not in done.stderr] == []
    again = run_scic("compress", *common, "--ratio", "0.3", "--fast", "--pin", "grey heron", "--cached", cwd=tmp_path)
    assert "degraded" not in again.stderr
    planned = run_scic("compress", *common, "--plan", "--ratio", "0.3", cwd=tmp_path)
    assert "heavy: " in planned.stdout
    assert "fish" not in planned.stdout
    drawn = run_scic("compress", *common, "--diff", cwd=tmp_path)
    assert drawn.stdout.startswith("herons.md · What does the heron eat? ─")
    assert "[-" in drawn.stdout
    reply = json.loads(run_scic("compress", *common, "--json", cwd=tmp_path).stdout)
    assert reply["decision"]["max_tokens"] == reply["decision"]["original_token_count"] // 2
