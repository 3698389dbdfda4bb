"""`python -m benchmarks.gateway.slow_redis`: what requests feel of a Redis that answers 200 ms late."""

import asyncio
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psutil
import uvloop

from benchmarks.gateway.bed import Bed, MeasureError, run
from benchmarks.gateway.delay import DelayingProxy, delaying_proxy
from benchmarks.gateway.edge import edge_before
from benchmarks.gateway.fleet import fleet
from benchmarks.gateway.load import Callers, Sample, offer, quantile_ms
from benchmarks.report import Figure, at_most

GATEWAYS = 2
DELAY_SECONDS = 0.2
RATE = 20
SECONDS = 20.0
_URL = "SCIC_GATEWAY_REDIS_URL"
_SLOWER_SECONDS = 0.05


def measure(bed: Bed) -> list[Figure]:
    """Cold requests at a low rate through a proxy that delays nothing, then each way half of the delay."""
    url = urlsplit(psutil.Process(bed.mesh.of("gateway")[0].pid).environ()[_URL])
    if url.port is None:
        raise MeasureError("The mesh's Redis has no port.")
    with _proxy(url.port) as (proxy, port):
        through = urlunsplit(url._replace(netloc=url.netloc.replace(str(url.port), str(port))))
        with (
            fleet(bed, GATEWAYS, {_URL: through}) as gateways,
            edge_before(bed.mesh, [gateway.address for gateway in gateways], bed.folder) as address,
        ):
            before, slow = uvloop.run(_offer(bed, address, proxy))
    late = quantile_ms(before, 0.95) / 1e3 + _SLOWER_SECONDS
    errors = sum(not sample.good for sample in (*before, *slow))
    share = 100 * sum(sample.seconds > late for sample in slow) / len(slow)
    name = f"Redis {1e3 * DELAY_SECONDS:g} ms late"
    return [
        Figure("Redis as it is: p50, cold", quantile_ms(before, 0.5), "ms"),
        Figure("Redis as it is: p95, cold", quantile_ms(before, 0.95), "ms"),
        Figure(f"{name}: p50", quantile_ms(slow, 0.5), "ms"),
        Figure(f"{name}: p95", quantile_ms(slow, 0.95), "ms"),
        Figure(f"{name}: requests more than {1e3 * _SLOWER_SECONDS:g} ms above the p95 of before", share, "%"),
        Figure(f"{name}: errors", errors, "requests", at_most(0)),
    ]


async def _offer(bed: Bed, address: str, proxy: DelayingProxy) -> tuple[Sequence[Sample], Sequence[Sample]]:
    async with Callers(address, bed.mesh.api_key) as callers:
        await offer(callers, bed.cold(RATE), rate=RATE)
        before = await offer(callers, bed.cold(int(RATE * SECONDS)), rate=RATE)
        bed.say(f"Redis answers {1e3 * DELAY_SECONDS:g} ms late")
        proxy.seconds = DELAY_SECONDS / 2
        return before, await offer(callers, bed.cold(int(RATE * SECONDS)), rate=RATE)


@contextmanager
def _proxy(port: int) -> Iterator[tuple[DelayingProxy, int]]:
    """In a thread with a loop of its own: it must work while the gateways are started and while the load is offered."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    manager = delaying_proxy(port)
    try:
        yield asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result()
        asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


if __name__ == "__main__":
    sys.exit(run("A slow Redis", "gateway_slow_redis", [("A slow Redis", measure)]))
