"""How replies look on a terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scic.cli.output import Heading
from scic.cli.printable import escape, printable
from scic.cli.show_cache import cache_words
from scic.cli.show_compression import show_decision, show_degradation, show_retention
from scic.cli.show_quality import show_cost, show_guarded, show_isolation, show_profile, show_quality
from scic.cli.words import word
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import degradation_pb2, message_pb2, score_pb2, trust_pb2

_ROLE_STYLE = {
    message_pb2.ROLE_SYSTEM: "magenta",
    message_pb2.ROLE_USER: "cyan",
    message_pb2.ROLE_ASSISTANT: "green",
}


def show_context(console: Console, built: pb.BuildContextResponse, *, explain: bool) -> None:
    """The messages, then where they come from and what they cost."""
    for message in built.messages:
        role = _name(message_pb2.Role.Name(message.role))
        console.print(Heading(role, style=_ROLE_STYLE[message.role]))
        console.print(Text(printable(message.content)), soft_wrap=True)
    console.print(Heading("citations"))
    _show_evidence(console, built.evidence, explain=explain)
    if explain:
        _show_dropped(console, built.dropped)
    _show_figures(console, built)
    console.print(f"cache: {cache_words(built)} · request {escape(built.request_id)}", highlight=False)
    if built.record_id:
        console.print(f"record {built.record_id}", highlight=False)


def show_plan(console: Console, planned: pb.PlanContextResponse, *, explain: bool) -> None:
    """What would be in the prompt, and what it would cost."""
    _show_evidence(console, planned.evidence, explain=explain)
    if explain:
        _show_dropped(console, planned.dropped)
    _show_figures(console, planned)
    if planned.HasField("cost"):
        show_cost(console, planned.cost)
    console.print(f"cache forecast: {_name(pb.CacheStatus.Name(planned.cache_forecast))}")


def _show_evidence(console: Console, evidence: Sequence[pb.Evidence], *, explain: bool) -> None:
    if not evidence:
        console.print("  no passage of these sources and filters was found that fits")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("", "passage", "offsets", "source", "trust", "score", "tokens"):
        table.add_column(heading, justify="right" if heading in {"score", "tokens"} else "left", overflow="fold")
    for item in evidence:
        title = " > ".join(item.title_path[1:])
        table.add_row(
            f"[{item.citation}]".replace("[", r"\["),
            escape(f"{item.document_id or item.passage_id}" + (f" · {title}" if title else "")),
            ", ".join(f"{span.start}-{span.end}" for span in item.spans),
            item.source,
            _name(trust_pb2.TrustLabel.Name(item.trust)),
            _score(item.score, explain=explain),
            _tokens(item),
        )
    console.print(table)


def _show_dropped(console: Console, dropped: Sequence[pb.DroppedPassage]) -> None:
    if not dropped:
        return
    console.print(Heading("left out"))
    table = Table(box=None, pad_edge=False)
    for heading in ("passage", "source", "score", "tokens", "reason"):
        table.add_column(heading, justify="right" if heading in {"score", "tokens"} else "left", overflow="fold")
    for item in dropped:
        reason = word(pb.DroppedPassage.Reason.Name(item.reason), "REASON_")
        if item.duplicate_of:
            reason = f"{reason} of {item.duplicate_of}"
        table.add_row(
            escape(item.passage_id),
            item.source,
            _score(item.score, explain=True),
            str(item.token_count),
            escape(reason),
        )
    console.print(table)


def _show_figures(console: Console, reply: pb.BuildContextResponse | pb.PlanContextResponse) -> None:
    sections = ((message_pb2.Section.Name(s.section), s.token_count) for s in reply.tokens.sections if s.token_count)
    console.print(
        f"[bold]tokens[/bold] {reply.tokens.total} of {reply.tokens.max_tokens} ({reply.encoding}): "
        + _list(f"{_name(name)} {count}" for name, count in sections)
    )
    if reply.timings:
        console.print(
            "[bold]timings[/bold] "
            + _list(
                f"{_name(degradation_pb2.Stage.Name(t.stage))} {t.duration.ToNanoseconds() / 1e6:.1f} ms"
                for t in reply.timings
            )
        )
    if reply.sources:
        console.print("[bold]sources[/bold] " + _list(_source(report) for report in reply.sources), highlight=False)
    if reply.HasField("compression"):
        show_decision(console, reply.compression)
        show_retention(console, reply.retention)
    show_quality(console, reply.quality)
    show_guarded(console, reply)
    show_isolation(console, reply.isolation)
    show_profile(console, reply)
    for degradation in reply.degradations:
        show_degradation(console, degradation)


def _source(report: pb.SourceReport) -> str:
    time = f" in {report.duration.ToNanoseconds() / 1e6:.1f} ms" if report.HasField("duration") else ""
    rung = _name(pb.SourceReport.Rung.Name(report.rung))
    stands_in = f" ({rung}: {escape(report.stand_in)}; {report.error_reason})" if report.error_reason else ""
    return f"{report.source} {report.passage_count}{time}{stands_in}"


def _score(score: score_pb2.Score, *, explain: bool) -> str:
    if not explain:
        return f"{score.value:.2f}"
    text = f"{score.value:.2f} = {score.lexical_part:.2f} of bm25 {score.lexical:.1f}"
    text += f" + {score.dense_part:.2f} of cosine {score.dense:.2f}"
    for name, factor in (("recency", score.recency), ("novelty", score.novelty)):
        # 0 is that of a passage that was not ranked.
        if 0 < factor < 1:
            text += f", times {factor:.2f} for {name}"
    return text


def _tokens(item: pb.Evidence) -> str:
    if item.fate == pb.Evidence.FATE_WHOLE:
        return str(item.token_count)
    return f"{item.token_count} of {item.original_token_count}"


def _name(constant: str) -> str:
    """The last word of an enum constant, as people say it."""
    for prefix in ("CACHE_STATUS_", "SECTION_", "STAGE_", "ROLE_", "RUNG_", "TRUST_LABEL_"):
        constant = constant.removeprefix(prefix)
    return constant.lower()


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
