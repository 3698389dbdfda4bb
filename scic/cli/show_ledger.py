"""How records look on a terminal."""

from collections.abc import Sequence

from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scic import errors
from scic.cli.output import Heading
from scic.cli.printable import escape, printable
from scic.cli.show_cache import cache_words
from scic.cli.show_candidates import show_candidates
from scic.cli.show_compression import show_decision, show_degradation, show_retention
from scic.cli.show_corpus import time
from scic.cli.show_quality import show_isolation, show_profile, show_quality
from scic.cli.words import word
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.type.v1 import degradation_pb2, message_pb2

LISTING_HEADER = f"{'time':<20} {'record':<26} {'tokens':>13} {'kept':>4} {'out':>4} {'ms':>7} {'outcome':<18} question"

_BAR_WIDTH = 32


def listing_line(record: pb.RecordSummary) -> str:
    """A record in a line that can be cut into columns: the question stands last."""
    tokens = f"{record.token_count}/{record.max_tokens}"
    milliseconds = record.duration.ToNanoseconds() / 1e6
    question = printable(" ".join(record.question.split()))
    return (
        f"{time(record.create_time):<20} {record.record_id:<26} {tokens:>13} {record.evidence_count:>4} "
        f"{record.dropped_count:>4} {milliseconds:>7.1f} {_outcome(record):<18} {question}"
    )


def show_record(console: Console, record: pb.Record) -> None:
    """A request from its question to its quality: stages, candidates, tokens, and what was done less well."""
    request, response = record.request, record.response
    name = request.request_id or response.request_id
    error = errors.from_status(record.error) if record.HasField("error") else None
    # A request that failed before the guard had read it left no text.
    title = request.question or " ".join(filter(None, ("request", name, f"failed: {error.reason}" if error else "")))
    console.print(Heading(f"[bold]{escape(title)}[/bold]"))
    for line in (f"record {record.record_id}", f"request {name}", f"{time(record.create_time)} · key {record.key_id}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if error:
        console.print(f"[red]failed[/red] {error.reason}: {escape(error.message)}", highlight=False, soft_wrap=True)
    if not record.HasField("response"):
        return
    corpus = f"corpus version {response.corpus_version}" if response.corpus_version else "no corpus searched"
    console.print(
        f"model {escape(response.model)} ({response.encoding}) · cache {cache_words(response)} · {corpus}",
        highlight=False,
    )
    show_profile(console, response)
    _show_stages(console, record)
    show_candidates(console, response)
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
        console.print(Heading(word(message_pb2.Role.Name(message.role), "ROLE_")))
        console.print(Text(printable(message.content)), soft_wrap=True)


def _show_stages(console: Console, record: pb.Record) -> None:
    """Each stage as a bar, beginning where the one before it ended; what no stage took comes last."""
    whole = record.duration.ToNanoseconds() / 1e6
    stages = [
        (word(degradation_pb2.Stage.Name(t.stage), "STAGE_"), t.duration.ToNanoseconds() / 1e6)
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


def _show_tokens(console: Console, tokens: context.TokenUsage) -> None:
    table = _table(
        "tokens", "", f"{tokens.total} of {tokens.max_tokens}", right=(f"{tokens.total} of {tokens.max_tokens}",)
    )
    for section in tokens.sections:
        if section.token_count:
            name = word(message_pb2.Section.Name(section.section), "SECTION_")
            bar = Bar(max(tokens.max_tokens, 1), 0, section.token_count, width=_BAR_WIDTH, color="blue")
            table.add_row(name, bar, str(section.token_count))
    console.print(table)


def _outcome(record: pb.RecordSummary) -> str:
    if record.error_reason:
        return record.error_reason
    if record.degraded:
        return "degraded"
    return "cached" if record.cache == context.CACHE_STATUS_HIT else "built"


def _table(*headings: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table
