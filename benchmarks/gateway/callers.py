"""`python -m benchmarks.gateway.callers`: a thousand callers with open streams, a hundred requests a second."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import grpc
import grpc.aio
import numpy as np

from benchmarks.gateway.bed import MAX_TOKENS, Bed, MeasureError, run
from benchmarks.gateway.popularity import DISTINCT, asked
from benchmarks.report import Figure, at_most, below
from scic.client import Client
from scic.client.request import context_request
from scic.gateway.v1.context_service_pb2 import BuildContextRequest
from scic.gateway.v1.job_service_pb2 import WatchJobRequest, WatchJobResponse
from scic.gateway.v1.job_service_pb2_grpc import JobServiceStub

CALLERS = 1_000
RATE = 100
SECONDS = 60.0
_CONNECTIONS = 50
_FIRST_WORD_SECONDS = 30.0
_SEED = 7


def measure(bed: Bed) -> list[Figure]:
    """Every caller watches a job that waits; requests come over as many connections of the load client.

    First questions of uneven popularity, as callers ask them, then only such as nobody has asked.
    """
    return asyncio.run(_measure(bed))


async def _measure(bed: Bed) -> list[Figure]:
    count = int(RATE * SECONDS * 1.1)
    popular = bed.cold(DISTINCT)
    loads = {
        "Zipf": [popular[number] for number in asked(np.random.default_rng(_SEED), count)],
        "cold": bed.cold(count),
    }
    return [figure for name, requests in loads.items() for figure in await _offer(bed, name, requests)]


async def _offer(bed: Bed, kind: str, requests: Sequence[BuildContextRequest]) -> list[Figure]:
    load = bed.load()
    async with _watching(bed) as watched:
        bed.say(f"{CALLERS} open streams, {RATE} requests a second for {SECONDS:g} s: {kind}")
        seen = await asyncio.to_thread(
            load.run, requests, seconds=SECONDS, concurrency=CALLERS, connections=CALLERS, rate=RATE
        )
        lost = sum(stream.done() for stream in watched)
    refused = seen.error_counts.get("ResourceExhausted", 0)
    admitted = seen.requests - refused
    name = f"{CALLERS:,} callers, {RATE} requests/s, {kind}"
    return [
        Figure(f"{name}: p95 of the admitted", seen.p95_ms, "ms", below(1000)),
        Figure(f"{name}: errors of the admitted", 100 * (seen.errors - refused) / admitted, "%", below(0.1)),
        Figure(f"{name}: admitted", 100 * admitted / seen.requests, "%"),
        Figure(f"{name}: answered", seen.throughput, "requests/s"),
        Figure(f"{name}: open streams that were lost", lost, "streams", at_most(0)),
    ]


_Stream: TypeAlias = "grpc.aio.UnaryStreamCall[WatchJobRequest, WatchJobResponse]"


@asynccontextmanager
async def _watching(bed: Bed) -> AsyncIterator[list[_Stream]]:
    """Open streams, each of which has had a first word; there is no worker, so that none ends by itself."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(bed.mesh.edge, options=options) for _ in range(_CONNECTIONS)]
    metadata = (("authorization", f"Bearer {bed.mesh.api_key}"),)
    async with Client(bed.mesh.edge, api_key=bed.mesh.api_key) as client:
        (question,) = bed.questions.take(1)
        job = (await client.submit_contexts([context_request(question, max_tokens=MAX_TOKENS)])).job
        try:
            stubs = [JobServiceStub(channel) for channel in channels]
            streams = [
                stubs[number % _CONNECTIONS].WatchJob(WatchJobRequest(job_id=job.job_id), metadata=metadata)
                for number in range(CALLERS)
            ]
            async with asyncio.timeout(_FIRST_WORD_SECONDS):
                words = await asyncio.gather(*(stream.read() for stream in streams))
            if grpc.aio.EOF in words:
                raise MeasureError("A stream ended before it was used.")
            yield streams
        finally:
            await asyncio.gather(*(channel.close() for channel in channels))
            await client.cancel_job(job.job_id)


if __name__ == "__main__":
    sys.exit(run("Many callers", "gateway_callers", [("Many callers", measure)]))
