"""`python -m benchmarks.gateway.flights`: a thousand equal questions at once, the one who computes killed."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from benchmarks.counters import total
from benchmarks.figures import percentile
from benchmarks.gateway.bed import Bed, MeasureError, run
from benchmarks.gateway.edge import edge_before
from benchmarks.gateway.fleet import Member, fleet
from benchmarks.gateway.load import Callers, Sample
from benchmarks.report import Figure, at_most

CALLERS = 1_000
GATEWAYS = 4
_LEADER_WITHIN = 5.0
_POLL_SECONDS = 0.02
_SETTLED = 1.0
"""Seconds after which the compressors have counted what a dead gateway asked of them."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    samples: Sequence[Sample]
    computations: float


def measure(bed: Bed) -> list[Figure]:
    """Once left alone, once with the leader killed: the compressors stand still until it is, so that it is at work."""
    with (
        fleet(bed, GATEWAYS, {}) as gateways,
        edge_before(bed.mesh, [gateway.address for gateway in gateways], bed.folder) as address,
    ):
        calm = uvloop.run(_Crowd(bed, address, gateways).run(kill=False))
        killed = uvloop.run(_Crowd(bed, address, gateways).run(kill=True))
    name = f"{CALLERS:,} equal questions"
    return [
        Figure(f"computations of {name} over {GATEWAYS} gateways", calm.computations, "", at_most(1)),
        Figure("the same, the leader killed once", killed.computations, "", at_most(2)),
        Figure(f"{name}, leader killed: not answered", sum(not s.good for s in killed.samples), "requests", at_most(0)),
        Figure(f"{name}, leader killed: p50", 1e3 * percentile([s.seconds for s in killed.samples], 0.5), "ms"),
        Figure(f"{name}, leader killed: slowest", 1e3 * max(s.seconds for s in killed.samples), "ms"),
    ]


class _Crowd:
    def __init__(self, bed: Bed, address: str, gateways: Sequence[Member]) -> None:
        self._bed = bed
        self._address = address
        self._gateways = gateways
        self._compressors = bed.mesh.of("compressor")

    async def run(self, *, kill: bool) -> _Outcome:
        (request,) = self._bed.cold(1)
        before = self._computations()
        async with Callers(self._address, self._bed.mesh.api_key, connections=32) as callers:
            led = [self._led(gateway) for gateway in self._gateways]
            if kill:
                self._signal(signal.SIGSTOP)
            try:
                start = time.perf_counter()
                crowd = [asyncio.create_task(callers.sample(request, start)) for _ in range(CALLERS)]
                if kill:
                    leader = await self._leader(led)
                    self._bed.say(f"Killing the gateway that computes ({leader.address})")
                    leader.kill()
            finally:
                self._signal(signal.SIGCONT)
            samples = await asyncio.gather(*crowd)
        await asyncio.sleep(_SETTLED)
        return _Outcome(samples, await asyncio.to_thread(self._computations) - before)

    async def _leader(self, before: Sequence[float]) -> Member:
        """The gateway that has begun to compute since."""
        deadline = time.monotonic() + _LEADER_WITHIN
        while time.monotonic() < deadline:
            for gateway, led in zip(self._gateways, before, strict=True):
                if await asyncio.to_thread(self._led, gateway) > led:
                    return gateway
            await asyncio.sleep(_POLL_SECONDS)
        raise MeasureError("No gateway says that it leads.")

    def _led(self, gateway: Member) -> float:
        return total([gateway.counted], "context_flights_total", {"role": "led"})

    def _computations(self) -> float:
        """Requests that compressors have had so far, however they ended."""
        return total(self._compressors, "context_request_duration_seconds_count", {"operation": _COMPRESS})

    def _signal(self, number: signal.Signals) -> None:
        for compressor in self._compressors:
            os.kill(compressor.pid, number)


_COMPRESS = "CompressorService/Compress"


if __name__ == "__main__":
    sys.exit(run("Single flight", "gateway_flights", [("Equal questions at one moment", measure)]))
