"""How the corpus looks on a terminal."""

from collections.abc import Iterable, Iterator

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from scic.cli.counted import counted
from scic.cli.facts_table import show_facts
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.type.v1 import trust_pb2

_NEVER = "-"


def record_lines(document: pb.Document) -> Iterator[tuple[str, str]]:
    """All that is known of a document, as names and values."""
    yield "document", document.document_id
    yield "source", document.source
    yield "title", document.title
    yield "content type", document.content_type
    yield "size", f"{counted(document.size_bytes, 'byte')} in {counted(document.passage_count, 'passage')}"
    yield "content hash", document.content_hash
    yield "created", time(document.create_time) if document.HasField("create_time") else "unknown"
    yield "indexed", time(document.index_time)
    yield "expires", time(document.expire_time) if document.HasField("expire_time") else "never"
    yield "groups", ", ".join(document.acl_groups) or "everybody of the tenant"
    yield "trust", trust_pb2.TrustLabel.Name(document.trust).removeprefix("TRUST_LABEL_").lower()
    yield "subjects", ", ".join(document.subjects) or "none"
    for key, value in sorted(document.metadata.items()):
        yield f"metadata {key}", value


def show_record(console: Console, document: pb.Document) -> None:
    """A record, a line for each fact."""
    show_facts(console, record_lines(document))


def listing_line(document: pb.Document) -> str:
    """A record in a line that can be cut into columns: the id stands last, since it may hold spaces."""
    expires = time(document.expire_time) if document.HasField("expire_time") else _NEVER
    return f"{document.source:<12} {document.passage_count:>8} {expires:<20} {document.document_id}"


LISTING_HEADER = f"{'source':<12} {'passages':>8} {'expires':<20} document"


def show_receipt(console: Console, receipt: pb.Receipt) -> None:
    """What was removed from where."""
    _show_table(
        console,
        ("removed from", "documents", "passages", "entries"),
        (
            (place.name, str(place.document_count), str(place.passage_count), str(place.entry_count))
            for place in receipt.places
        ),
    )
    console.print(f"receipt {receipt.receipt_id} of {time(receipt.time)}", highlight=False, soft_wrap=True)


def show_stats(console: Console, stats: pb.GetCorpusStatsResponse) -> None:
    """Counts by source, and the state of the corpus."""
    sources = list(stats.sources)
    total = pb.SourceStats(
        source="total",
        document_count=sum(source.document_count for source in sources),
        passage_count=sum(source.passage_count for source in sources),
        size_bytes=sum(source.size_bytes for source in sources),
    )
    _show_table(
        console,
        ("source", "documents", "passages", "bytes"),
        (
            (source.source, str(source.document_count), str(source.passage_count), str(source.size_bytes))
            for source in (*sources, total)
        ),
    )
    model = stats.embedding_model or "none yet"
    console.print(f"model {model} · version {stats.corpus_version}", markup=False, highlight=False, soft_wrap=True)
    if stats.HasField("reindexing"):
        progress = stats.reindexing
        console.print(
            f"re-indexing for {progress.embedding_model}: {progress.done_count} of {progress.total_count} passages",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def time(timestamp: Timestamp) -> str:
    """Seconds are enough for people."""
    return timestamp.ToDatetime().isoformat(timespec="seconds") + "Z"


def _show_table(console: Console, headings: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
