"""`python -m benchmarks.gateway.limits`: ten times as many requests as a limit admits, spread over four gateways."""

import asyncio
import json
import sys
from collections import Counter

import grpc
import uvloop

from benchmarks.gateway.bed import Bed, MeasureError, run
from benchmarks.gateway.edge import edge_before
from benchmarks.gateway.fleet import fleet
from benchmarks.gateway.load import Callers, Sample, offer
from benchmarks.report import Figure, exactly
from scic.client import Client

GATEWAYS = 4
LIMIT = 100
TIMES = 10
WINDOW_SECONDS = 10.0
OFFER_SECONDS = 5.0
"""All of them within one window."""
WINDOWS = 3
_RULE = {"name": "bench", "method": "BuildContext", "seconds": WINDOW_SECONDS, "requests": LIMIT}


def measure(bed: Bed) -> list[Figure]:
    """One question, which the cache answers, so that nothing but the limit decides; a window, a pause, again."""
    with (
        fleet(bed, GATEWAYS, {"SCIC_GATEWAY_LIMITS": json.dumps([_RULE])}) as gateways,
        edge_before(bed.mesh, [gateway.address for gateway in gateways], bed.folder) as address,
    ):
        windows = uvloop.run(_offer(bed, address))
    admitted = [sum(sample.good for sample in window) for window in windows]
    errors = Counter(s.code.name for window in windows for s in window if not (s.good or s.refused))
    bed.say(f"Admitted: {admitted}; errors: {dict(errors)}")
    farthest = max(admitted, key=lambda count: abs(count - LIMIT))
    name = f"limit of {LIMIT} over {GATEWAYS} gateways, {TIMES} x offered"
    return [
        Figure(f"{name}: admitted, the farthest of {WINDOWS} windows", farthest, "requests", exactly(LIMIT)),
        Figure(f"{name}: neither admitted nor refused", errors.total(), "requests", exactly(0)),
    ]


async def _offer(bed: Bed, address: str) -> list[list[Sample]]:
    (request,) = bed.cold(1)
    # By the mesh's own gateways, which know no limit.
    async with Client(bed.mesh.edge, api_key=bed.mesh.api_key) as client:
        await client.build_context(request.question, max_tokens=request.max_tokens)
    windows = []
    async with Callers(address, bed.mesh.api_key, connections=16) as callers:
        for number in range(WINDOWS):
            if number:
                await asyncio.sleep(WINDOW_SECONDS + 1)
            offered = LIMIT * TIMES
            windows.append(await offer(callers, [request] * offered, rate=offered / OFFER_SECONDS))
            if not any(sample.code is grpc.StatusCode.RESOURCE_EXHAUSTED for sample in windows[-1]):
                raise MeasureError("Nothing was refused: the gateways know no limit.")
    return windows


if __name__ == "__main__":
    sys.exit(run("Limits", "gateway_limits", [("A limit over four gateways", measure)]))
