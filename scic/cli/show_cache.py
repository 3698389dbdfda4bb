"""What the cache did, on a terminal."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from scic.cli.counted import counted
from scic.cli.duration import spoken
from scic.cli.show_corpus import time
from scic.cli.words import word
from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import cache_service_pb2 as pb
from scic.gateway.v1 import context_service_pb2 as context

_NOT_STORED: Final = MappingProxyType(
    {
        cache_pb2.CacheReport.NOT_STORED_DIRECTIVE: "as the request said",
        cache_pb2.CacheReport.NOT_STORED_TIME_SENSITIVE: "time-sensitive",
        cache_pb2.CacheReport.NOT_STORED_DEGRADED: "degraded",
        cache_pb2.CacheReport.NOT_STORED_THIN: "nothing found that answers",
        cache_pb2.CacheReport.NOT_STORED_PERSONAL: "holds personal data",
        cache_pb2.CacheReport.NOT_STORED_UNAVAILABLE: "no cache answers",
        cache_pb2.CacheReport.NOT_STORED_BATCH: "of a job",
    }
)


def cache_words(reply: context.BuildContextResponse) -> str:
    """What the cache had to do with a reply: `hit (exact), 12 s old`, or `miss, not kept: time-sensitive`."""
    report = reply.cache_report
    words = word(context.CacheStatus.Name(reply.cache), "CACHE_STATUS_")
    if report.tier:
        words += f" ({tier_word(report.tier)})"
    if report.HasField("age"):
        words += f", {spoken(report.age.ToTimedelta().total_seconds())} old"
    if report.not_stored and reply.cache != context.CACHE_STATUS_UNAVAILABLE:
        # A reason of a newer server is still a reason.
        words += f", not kept: {_NOT_STORED.get(report.not_stored, 'for a reason that this version does not know')}"
    return words


def tier_word(tier: cache_pb2.CacheTier.ValueType) -> str:
    """`exact` or `semantic`."""
    return word(cache_pb2.CacheTier.Name(tier), "CACHE_TIER_")


def show_cache_stats(console: Console, stats: pb.GetCacheStatsResponse) -> None:
    """Counts, a line for each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for row in _rows(stats):
        table.add_row(*row)
    console.print(table)
    if stats.HasField("start_time"):
        console.print(f"counted since {time(stats.start_time)}", highlight=False)


def _rows(stats: pb.GetCacheStatsResponse) -> Iterator[tuple[str, str, str]]:
    hits = sum(tier.hit_count for tier in stats.tiers)
    asked = hits + stats.miss_count
    yield "kept", str(stats.entry_count), f"{decimal(stats.size_bytes)} of {decimal(stats.max_bytes)}"
    yield "hits", str(hits), f"{hits / asked:.1%} of {counted(asked, 'request')}" if asked else "no requests yet"
    for tier in stats.tiers:
        yield f"  {tier_word(tier.tier)}", str(tier.hit_count), ""
    yield "misses", str(stats.miss_count), ""
    yield "stale", str(stats.stale_count), "found dead: a document that they name had changed"
    yield "evicted", str(stats.evicted_count), "went to make room"
