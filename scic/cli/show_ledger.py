"""How records look on a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from scic import errors
from scic.cli.show_compression import show_decision, show_degradation, show_retention
from scic.cli.show_corpus import time
from scic.cli.show_quality import FIGURES, show_isolation, show_profile, show_quality
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.type.v1 import degradation_pb2, message_pb2, score_pb2, trust_pb2

LISTING_HEADER = f"{'time':<20} {'record':<26} {'tokens':>13} {'kept':>4} {'out':>4} {'ms':>7} {'outcome':<18} question"

_BAR_WIDTH = 32
_FATE_STYLE = {"whole": "green", "compressed": "cyan", "summarised": "magenta"}


def listing_line(record: pb.RecordSummary) -> str:
    """A record in a line that can be cut into columns: the question stands last."""
    tokens = f"{record.token_count}/{record.max_tokens}"
    milliseconds = record.duration.ToNanoseconds() / 1e6
    question = " ".join(record.question.split())
    return (
        f"{time(record.create_time):<20} {record.record_id:<26} {tokens:>13} {record.evidence_count:>4} "
        f"{record.dropped_count:>4} {milliseconds:>7.1f} {_outcome(record):<18} {question}"
    )


def show_record(console: Console, record: pb.Record) -> None:
    """A request from its question to its quality: stages, candidates, tokens, and what was done less well."""
    response = record.response
    console.print(Rule(f"[bold]{escape(record.request.question or 'request')}[/bold]", align="left"))
    console.print(
        f"record {record.record_id} · {time(record.create_time)} · key {escape(record.key_id)} · "
        f"request {escape(record.request.request_id or response.request_id)}",
        highlight=False,
    )
    if record.HasField("error"):
        error = errors.from_status(record.error)
        console.print(f"[red]failed[/red] {error.reason}: {escape(error.message)}", highlight=False, soft_wrap=True)
    if not record.HasField("response"):
        return
    cache = _word(context.CacheStatus.Name(response.cache), "CACHE_STATUS_")
    corpus = f"corpus version {response.corpus_version}" if response.corpus_version else "no corpus searched"
    console.print(f"model {escape(response.model)} ({response.encoding}) · cache {cache} · {corpus}", highlight=False)
    show_profile(console, response)
    _show_stages(console, record)
    _show_candidates(console, response)
    _show_tokens(console, response.tokens)
    if response.HasField("compression"):
        show_decision(console, response.compression)
        show_retention(console, response.retention)
    if response.HasField("quality"):
        show_quality(console, response.quality)
    show_isolation(console, response.isolation)
    for degradation in response.degradations:
        show_degradation(console, degradation)


def show_prompt(console: Console, messages: Sequence[message_pb2.Message]) -> None:
    """The messages as the model got them."""
    for message in messages:
        console.print(Rule(_word(message_pb2.Role.Name(message.role), "ROLE_"), align="left"))
        console.print(Text(message.content), soft_wrap=True)


def show_diff(console: Console, diff: pb.ContextDiff) -> None:
    """Fields, passages, sections and figures that differ."""
    qualities = list(_quality_rows(diff))
    if not (diff.fields or diff.passages or diff.sections or qualities):
        console.print("nothing differs")
        return
    fields = [(field.field, escape(field.before) or "-", escape(field.after) or "-") for field in diff.fields]
    _show_table(console, ("field", "before", "after"), fields)
    passages = [
        (escape(_place(change.passage_id, change.title)), _state(change.before), _state(change.after, change))
        for change in diff.passages
    ]
    _show_table(console, ("passage", "before", "after"), passages)
    sections = [
        (_word(message_pb2.Section.Name(s.section), "SECTION_"), str(s.before), f"{s.after} ({s.after - s.before:+d})")
        for s in diff.sections
    ]
    _show_table(console, ("tokens", "before", "after"), sections)
    _show_table(console, ("quality", "before", "after"), qualities)


def _show_stages(console: Console, record: pb.Record) -> None:
    """Each stage as a bar, beginning where the one before it ended; what no stage took comes last."""
    whole = record.duration.ToNanoseconds() / 1e6
    stages = [
        (_word(degradation_pb2.Stage.Name(t.stage), "STAGE_"), t.duration.ToNanoseconds() / 1e6)
        for t in record.response.timings
    ]
    stages.append(("gateway" if stages else "all", max(whole - sum(taken for _, taken in stages), 0.0)))
    size, begin = max(whole, sum(taken for _, taken in stages), 0.001), 0.0
    table = _table("time", "", "ms", "share", right=("ms", "share"))
    for name, taken in stages:
        bar = Bar(size, begin, begin + taken, width=_BAR_WIDTH, color="blue")
        table.add_row(name, bar, f"{taken:.1f}", f"{taken / size:.0%}")
        begin += taken
    console.print(table)


def _show_candidates(console: Console, response: context.BuildContextResponse) -> None:
    """Every candidate, what became of it and why."""
    if not (response.evidence or response.dropped):
        console.print("no candidate was found")
        return
    table = _table("", "candidate", "source", "trust", "fate", "tokens", "score", right=("tokens",))
    for item in response.evidence:
        fate = _word(context.Evidence.Fate.Name(item.fate), "FATE_")
        table.add_row(
            escape(f"[{item.citation}]"),
            escape(_place(item.passage_id, " > ".join(item.title_path[1:]))),
            escape(item.source),
            _trust(item.trust),
            Text(fate, style=_FATE_STYLE.get(fate, "")),
            _tokens(item.original_token_count, item.token_count),
            _score(item.score),
        )
    for dropped in response.dropped:
        reason = _word(context.DroppedPassage.Reason.Name(dropped.reason), "REASON_")
        of = f" of {dropped.duplicate_of}" if dropped.duplicate_of else ""
        table.add_row(
            "",
            escape(_place(dropped.passage_id, " > ".join(dropped.title_path[1:]))),
            escape(dropped.source),
            _trust(dropped.trust),
            Text(f"out: {reason}{of}", style="dim"),
            _tokens(dropped.token_count, 0) if dropped.token_count else "",
            _score(dropped.score),
        )
    console.print(table)


def _show_tokens(console: Console, tokens: context.TokenUsage) -> None:
    table = _table(
        "tokens", "", f"{tokens.total} of {tokens.max_tokens}", right=(f"{tokens.total} of {tokens.max_tokens}",)
    )
    for section in tokens.sections:
        if section.token_count:
            name = _word(message_pb2.Section.Name(section.section), "SECTION_")
            bar = Bar(max(tokens.max_tokens, 1), 0, section.token_count, width=_BAR_WIDTH, color="blue")
            table.add_row(name, bar, str(section.token_count))
    console.print(table)


def _quality_rows(diff: pb.ContextDiff) -> Iterator[tuple[str, str, str]]:
    for name in FIGURES:
        before, after = getattr(diff.quality_before, name), getattr(diff.quality_after, name)
        if f"{before:.2f}" != f"{after:.2f}":
            yield name.replace("_", " "), f"{before:.2f}", f"{after:.2f} ({after - before:+.2f})"


def _state(state: pb.ContextDiff.PassageState, change: pb.ContextDiff.PassageChange | None = None) -> RenderableType:
    fate = state.fate.lower().replace("_", " ").replace("dropped", "out")
    tokens = f", {state.token_count} tokens" if state.token_count else ""
    citation = f"[{state.citation}] " if state.citation else ""
    other = ", other text" if change and change.text_changed and change.before.citation and state.citation else ""
    return Text(f"{citation}{fate}{tokens}{other}")


def _score(score: score_pb2.Score) -> str:
    """What the score is made of; empty for what was not ranked."""
    if not score.value:
        return ""
    text = f"{score.value:.2f} = bm25 {score.lexical_part:.2f} + cosine {score.dense_part:.2f}"
    for name, factor in (("recency", score.recency), ("novelty", score.novelty)):
        if 0 < factor < 1:
            text += f", times {factor:.2f} for {name}"
    return text


def _outcome(record: pb.RecordSummary) -> str:
    if record.error_reason:
        return record.error_reason
    if record.degraded:
        return "degraded"
    return "cached" if record.cache == context.CACHE_STATUS_HIT else "built"


def _tokens(before: int, after: int) -> str:
    return str(after) if before == after else f"{before} → {after}"


def _trust(trust: trust_pb2.TrustLabel.ValueType) -> str:
    return _word(trust_pb2.TrustLabel.Name(trust), "TRUST_LABEL_") if trust else ""


def _place(passage_id: str, title: str) -> str:
    return f"{passage_id} · {title}" if title else passage_id


def _word(constant: str, prefix: str) -> str:
    return constant.removeprefix(prefix).lower().replace("_", " ")


def _table(*headings: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def _show_table(console: Console, headings: tuple[str, ...], rows: Iterable[tuple[RenderableType, ...]]) -> None:
    table = _table(*headings)
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        console.print(table)
