"""How compression looks on a terminal: the decision, the pins, and what went."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from scic.cli.output import Heading
from scic.cli.printable import escape
from scic.cli.words import word
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import compression_pb2, degradation_pb2, retention_pb2

_GONE: Final = "dim red strike"
_MARKS: Final = ("[-", "-]")
"""Around what went, where there is no colour; those of `git diff --word-diff` and `wdiff`."""


def show_diff(console: Console, compressed: pb.CompressTextResponse, *, text: str, name: str, question: str) -> None:
    """The original, what went struck through, between a line that says what was asked and the figures."""
    console.print(Heading(f"[bold]{escape(name)}[/bold] · {escape(question)}"))
    console.print(_marked(compressed, text, plain=not console.is_terminal), soft_wrap=True, end="")
    if not text.endswith("\n"):
        console.print()
    console.print(Heading(_headline(compressed.decision)))
    show_figures(console, compressed)


def show_figures(console: Console, compressed: pb.CompressTextResponse) -> None:
    """Tokens, the decision and its reason, pins, what it saves, and the time it took."""
    decision = compressed.decision
    console.print(
        f"[bold]tokens[/bold] {decision.original_token_count} → {decision.token_count} ({compressed.encoding}) "
        f"in {decision.duration.ToNanoseconds() / 1e6:.0f} ms"
    )
    show_decision(console, decision)
    show_retention(console, compressed.retention)
    for degradation in compressed.degradations:
        show_degradation(console, degradation)


def show_decision(console: Console, decision: compression_pb2.CompressionDecision) -> None:
    """Level, method and reason, and what it costs and saves where the price is known."""
    method = word(compression_pb2.CompressionMethod.Name(decision.method), "COMPRESSION_METHOD_")
    by = "" if decision.method == compression_pb2.COMPRESSION_METHOD_NONE else f" ({method})"
    console.print(f"[bold]compression[/bold] {escape(decision.detail)}{by}", soft_wrap=True)
    if decision.HasField("cost_usd"):
        text = f"[bold]cost[/bold] ${decision.original_cost_usd:.6f} → ${decision.cost_usd:.6f} a call"
        if decision.HasField("cached_cost_usd"):
            text += f"; whole from the prompt cache ${decision.cached_cost_usd:.6f}"
        console.print(text)


def show_retention(console: Console, retention: retention_pb2.Retention) -> None:
    """Pins kept, and of what kinds; dropped with all they belong to; breached."""
    if not retention.pins:
        return
    kept, dropped, breached = (sum(getattr(pin, what) for pin in retention.pins) for what in _COUNTS)
    kinds = ", ".join(
        f"{word(retention_pb2.PinType.Name(pin.type), 'PIN_TYPE_')} {pin.kept} of {pin.kept + pin.dropped}"
        for pin in retention.pins
    )
    console.print(f"[bold]pins[/bold] {kept} kept, {dropped} dropped, {breached} breached: {kinds}", soft_wrap=True)


_COUNTS: Final = ("kept", "dropped", "breached")


def show_degradation(console: Console, degradation: degradation_pb2.Degradation) -> None:
    """What stood in for what was asked, and what that cost."""
    stage = word(degradation_pb2.Stage.Name(degradation.stage), "STAGE_")
    cost = f"; {degradation.cost}" if degradation.cost else ""
    console.print(
        f"[yellow]degraded[/yellow] {stage}: {escape(degradation.detail + cost)} ({degradation.reason})", soft_wrap=True
    )


def _headline(decision: compression_pb2.CompressionDecision) -> str:
    share = decision.token_count / max(decision.original_token_count, 1)
    return f"{share:.0%} of the tokens left"


def _marked(compressed: pb.CompressTextResponse, text: str, *, plain: bool) -> Text:
    marked = Text()
    for part, stays in _parts(compressed, text):
        if stays or not part.strip():
            marked.append(part)
        elif plain:
            bare = part.strip()
            begin = part.index(bare)
            marked.append(f"{part[:begin]}{_MARKS[0]}{bare}{_MARKS[1]}{part[begin + len(bare) :]}")
        else:
            marked.append(part, style=_GONE)
    return marked


def _parts(compressed: pb.CompressTextResponse, text: str) -> Iterator[tuple[str, bool]]:
    """The text in stretches, and whether they stay."""
    begin = 0
    for span in compressed.spans:
        yield text[begin : span.start], False
        yield text[span.start : span.end], True
        begin = span.end
    yield text[begin:], False
