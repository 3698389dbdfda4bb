"""The figures of `make bench`, their goals, and how each is made of what was measured."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.ghz import Load
from benchmarks.ingestion import Ingestion
from benchmarks.report import Figure, at_least, at_most, below

SERVICES = {
    "edge": "edge Envoy",
    "sidecar": "sidecar Envoy",
    "gateway": "gateway",
    "selector": "selector",
    "compressor": "compressor",
    "composer": "composer",
    "valkey": "valkey",
}
"""Everything that a request passes, as figures name it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run of the load client, and the mesh's CPU meanwhile by service, in seconds."""

    load: Load
    cpu: Counter[str]


@dataclass(frozen=True, slots=True)
class Round:
    """The mesh and its ceiling, one right after the other, each at its best concurrency."""

    cold: Loaded
    bare: Load


def throughput_figures(rounds: Sequence[Round]) -> list[Figure]:
    """Medians over the rounds; the share is taken within each round, so that a slow minute weighs on both sides."""
    cold = median(r.cold.load.throughput for r in rounds)
    bare = median(r.bare.throughput for r in rounds)
    share = median(r.cold.load.throughput / r.bare.throughput for r in rounds)
    return [
        Figure("cold BuildContext throughput", cold, "requests/s", at_least(100)),
        Figure("cold throughput, share of the bare chain", 100 * share, "%", at_least(15)),
        Figure("bare chain of four processes", bare, "requests/s"),
    ]


def cpu_figures(offered: Loaded, rate: int, rounds: Sequence[Round], *, cores: int) -> list[Figure]:
    """CPU of one cold request: by process on a full machine, and in all at a steady rate.

    At a steady rate every request wakes each process anew, so it costs more. What mesh and load client do not get of a
    full machine, somebody else takes; then CPU times are too high as well.
    """
    requests = sum(r.cold.load.requests for r in rounds)
    used = sum((r.cold.cpu for r in rounds), Counter())
    client = sum(r.cold.load.client_cpu_seconds for r in rounds)
    full = {name: 1e3 * used[name] / requests for name in SERVICES}
    available = cores * sum(r.cold.load.seconds for r in rounds)
    at_rate = 1e3 * offered.cpu.total() / offered.load.requests
    return [
        Figure("CPU of a cold request", sum(full.values()), "ms", at_most(15)),
        *(Figure(f"CPU of a cold request: {SERVICES[name]}", value, "ms") for name, value in full.items()),
        Figure("CPU of a cold request: load client, apart", 1e3 * client / requests, "ms"),
        Figure("share of the machine that cold runs got", 100 * (used.total() + client) / available, "%"),
        Figure(f"CPU of a cold request at {rate} requests/s", at_rate, "ms"),
        Figure("CPU of a select, vector included", full["selector"], "ms", below(8)),
    ]


def offered_figures(load: Load, rate: int) -> list[Figure]:
    """Cold requests at a rate that the client keeps, whatever the mesh does."""
    return [
        Figure(f"cold p95 at {rate} requests/s offered", load.p95_ms, "ms", at_most(60)),
        Figure(f"errors at {rate} requests/s offered", load.errors, "requests", at_most(0)),
    ]


def cached_figures(loads: Sequence[Load]) -> list[Figure]:
    """The same few requests again and again, at the best concurrency."""
    best = max(load.throughput for load in loads)
    return [Figure("cached BuildContext throughput", best, "requests/s", at_least(1000))]


def ingestion_figures(ingestion: Ingestion, encoder_rates: Sequence[float]) -> list[Figure]:
    """Ingestion beside what the encoder alone did right before and right after."""
    encoder = sum(encoder_rates) / len(encoder_rates)
    return [
        Figure("ingestion", ingestion.rate, "passages/s"),
        Figure("bare encoder", encoder, "passages/s"),
        Figure("ingestion, share of the bare encoder", 100 * ingestion.rate / encoder, "%", at_least(70)),
        Figure("context meanwhile: p95", percentile(ingestion.latencies_ms, 0.95), "ms"),
        Figure("context meanwhile: slowest", max(ingestion.latencies_ms), "ms"),
        Figure("context meanwhile: failed or degraded", ingestion.failures, "requests", at_most(0)),
        Figure("health meanwhile: not healthy", ingestion.unhealthy, "answers", at_most(0)),
    ]


def operation_figures(start_seconds: float, stage_megabytes: Sequence[float]) -> list[Figure]:
    """What it takes to run the mesh."""
    return [
        Figure("scic up to healthy, model already built", start_seconds, "s", at_most(15)),
        Figure("resident memory of the largest stage process", max(stage_megabytes), "MB", at_most(400)),
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
