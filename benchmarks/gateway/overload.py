"""`python -m benchmarks.gateway.overload`: three times as many cold requests as the mesh can answer."""

import sys
import time
from collections.abc import Sequence
from statistics import median

import uvloop

from benchmarks.gateway.bed import Bed, run
from benchmarks.gateway.load import Callers, Sample, offer, quantile_ms, saturate
from benchmarks.report import Figure, at_least, at_most

CONCURRENCY = 8
"""Enough for two cores, and few enough that none is refused: then it would be no capacity."""

CAPACITY_SECONDS = 10.0
SECONDS = 10.0
ROUNDS = 2
LEARNING_SECONDS = 8.0
TIMES = 3
_GROWING = 1.05
"""What is so many times as much as ten seconds before still grows."""
_MOST = 400
"""Requests a second that no two cores answer cold: so many are laid out."""


def measure(bed: Bed) -> list[Figure]:
    """Capacity by a closed loop, that rate once and three times, whatever comes back, and so again."""
    return uvloop.run(_measure(bed))


async def _measure(bed: Bed) -> list[Figure]:
    async with Callers(bed.mesh.edge, bed.mesh.api_key, connections=32) as callers:

        async def capacity() -> float:
            requests = bed.cold(int(CAPACITY_SECONDS * _MOST))
            samples, seconds = await saturate(callers, requests, concurrency=CONCURRENCY, seconds=CAPACITY_SECONDS)
            return sum(sample.good for sample in samples) / seconds

        async def offered(rate: float) -> tuple[Sequence[Sample], float]:
            """The samples, and the seconds until the last answer: what is answered after the end is no goodput."""
            bed.say(f"Offering {rate:.0f} cold requests a second")
            requests, start = bed.cold(int(rate * SECONDS)), time.perf_counter()
            return await offer(callers, requests, rate=rate), time.perf_counter() - start

        # It gets to know the passages while it is loaded, and how many builds are wise while it has too many.
        found = [await capacity()]
        while (now := await capacity()) > _GROWING * found[-1]:
            found = [now]
        await offer(callers, bed.cold(int(TIMES * found[-1] * LEARNING_SECONDS)), rate=TIMES * found[-1])
        once, thrice, possible = list[Sample](), list[Sample](), 0.0
        for _ in range(ROUNDS):
            found.append(await capacity())
            bed.say(f"Capacity {found[-1]:.0f} cold requests/s")
            samples, _ = await offered(found[-1])
            once += samples
            samples, took = await offered(TIMES * found[-1])
            thrice += samples
            # Beside the capacity of just before: that of the machine changes.
            possible += found[-1] * took
    good = sum(sample.good for sample in thrice)
    errors = [sample.code.name for sample in thrice if not (sample.good or sample.refused)]
    if errors:
        bed.say(f"Errors: {', '.join(sorted(set(errors)))}")
    at_once, at_thrice = quantile_ms(once, 0.95), quantile_ms(thrice, 0.95)
    return [
        Figure("capacity, closed loop, cold", median(found), "requests/s"),
        Figure(f"goodput at {TIMES} x capacity, share of capacity", 100 * good / possible, "%", at_least(80)),
        Figure(f"p95 of the admitted at {TIMES} x, times that at 1 x", at_thrice / at_once, "x", at_most(2)),
        Figure("p95 at 1 x capacity", at_once, "ms"),
        Figure(f"p95 of the admitted at {TIMES} x capacity", at_thrice, "ms"),
        Figure("refused at 1 x capacity", _share([sample.refused for sample in once]), "%"),
        Figure(f"refused at {TIMES} x capacity", _share([sample.refused for sample in thrice]), "%"),
        Figure(f"degraded of the admitted at {TIMES} x capacity", _share([s.degraded for s in thrice if s.good]), "%"),
        Figure(f"errors at {TIMES} x capacity", len(errors), "requests"),
    ]


def _share(flags: Sequence[bool]) -> float:
    return 100 * sum(flags) / len(flags) if flags else float("nan")


if __name__ == "__main__":
    sys.exit(run("Overload", "gateway_overload", [("Three times the capacity", measure)]))
