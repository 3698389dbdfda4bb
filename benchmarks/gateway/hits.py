"""`python -m benchmarks.gateway.hits`: what a cache hit costs, beside a bare hop of as many bytes."""

import asyncio
import sys
from collections.abc import Sequence
from statistics import median

from benchmarks.counters import total
from benchmarks.gateway.bed import Bed, MeasureError, run
from benchmarks.gateway.echo import echo_servers
from benchmarks.gateway.edge import edge_before
from benchmarks.report import Figure, at_least, at_most
from benchmarks.usage import cpu_seconds
from scic.client import Client
from scic.gateway.v1.context_service_pb2 import CACHE_STATUS_HIT, BuildContextRequest, BuildContextResponse

QUESTIONS = 64
ROUNDS = 5
SECONDS = 4.0
CONCURRENCY = 32
RATE = 200
RATE_SECONDS = 15.0
RATE_CONCURRENCY = 64
"""Workers that wait to send at the rate: so many that none is late because an answer is."""
_MISSED_SHARE = 0.01
"""Where Redis is late for a moment the mesh goes on without it; more of that, and it is not hits that are measured."""
_STORED_AFTER = 1.0
"""Seconds; the caller of a cold request does not wait until its reply is stored."""


def measure(bed: Bed) -> list[Figure]:
    """The mesh and the bare hop in turn, as many bare processes as gateways; then a steady rate."""
    requests, reply = asyncio.run(_warm_up(bed, bed.cold(2 * QUESTIONS)))
    gateways = bed.mesh.of("gateway")
    misses = total(gateways, "context_cache_misses_total")
    load = bed.load()
    rounds = []
    with (
        echo_servers(reply.SerializeToString(), processes=len(gateways)) as servers,
        edge_before(bed.mesh, servers, bed.folder) as address,
    ):
        bare = bed.load(address)
        for client in (load, bare):
            client.run(requests, seconds=2, concurrency=CONCURRENCY)
        spent = cpu_seconds(gateways)["gateway"]
        for number in range(ROUNDS):
            # The order changes, so that a neighbour who comes or goes hurts both alike.
            order = (load, bare) if number % 2 else (bare, load)
            done = {c.address: c.run(requests, seconds=SECONDS, concurrency=CONCURRENCY) for c in order}
            rounds.append((done[load.address], done[bare.address]))
            bed.say(f"hits {rounds[-1][0].throughput:,.0f}/s, bare hop {rounds[-1][1].throughput:,.0f}/s")
        spent = cpu_seconds(gateways)["gateway"] - spent
    bed.say(f"{RATE} hits a second offered")
    steady = load.run(requests, seconds=RATE_SECONDS, concurrency=RATE_CONCURRENCY, rate=RATE)
    misses = total(gateways, "context_cache_misses_total") - misses
    answered = sum(hit.requests for hit, _ in rounds)
    if misses > _MISSED_SHARE * answered:
        raise MeasureError(f"{misses:.0f} requests were not answered from the cache.")
    share = median(hit.throughput / hop.throughput for hit, hop in rounds)
    return [
        Figure("cache hit throughput, share of a bare single hop", 100 * share, "%", at_least(50)),
        Figure("cache hit throughput", median(hit.throughput for hit, _ in rounds), "requests/s"),
        Figure("bare single hop", median(hop.throughput for _, hop in rounds), "requests/s"),
        Figure("CPU of a hit in the gateways", 1e6 * spent / answered, "us"),
        Figure(f"cache hit p50 at {RATE} requests/s", steady.p50_ms, "ms", at_most(3)),
        Figure(f"cache hit p95 at {RATE} requests/s", steady.p95_ms, "ms", at_most(8)),
        Figure("of all these requests, not from the cache", misses, "requests"),
        Figure("errors of all these requests", steady.errors + sum(a.errors + b.errors for a, b in rounds), "requests"),
    ]


async def _warm_up(
    bed: Bed, candidates: Sequence[BuildContextRequest]
) -> tuple[list[BuildContextRequest], BuildContextResponse]:
    """Requests that are in the cache, and the hit of median size. Not all are kept: some questions ask about today."""
    async with Client(bed.mesh.edge, api_key=bed.mesh.api_key) as client:
        for request in candidates:
            await client.build_context(request.question, max_tokens=request.max_tokens)
        await asyncio.sleep(_STORED_AFTER)
        again = [await client.build_context(one.question, max_tokens=one.max_tokens) for one in candidates]
    hits = [(q, reply) for q, reply in zip(candidates, again, strict=True) if reply.cache == CACHE_STATUS_HIT]
    if len(hits) < QUESTIONS:
        raise MeasureError(f"Of {len(candidates)} questions that were asked before the cache answers {len(hits)}.")
    hits = hits[:QUESTIONS]
    replies = sorted((reply for _, reply in hits), key=BuildContextResponse.ByteSize)
    return [request for request, _ in hits], replies[QUESTIONS // 2]


if __name__ == "__main__":
    sys.exit(run("Cache hits", "gateway_hits", [("Cache hits beside a bare hop", measure)]))
