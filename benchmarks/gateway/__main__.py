"""`python -m benchmarks.gateway`: every figure of a gateway under load, on one mesh, in one run."""

import sys

from benchmarks.gateway import callers, flights, hits, jobs, limits, overload, semantic, slow_redis, zipf
from benchmarks.gateway.bed import run

if __name__ == "__main__":
    sys.exit(
        run(
            "A gateway under load",
            "gateway",
            [
                ("Cache hits beside a bare hop", hits.measure),
                ("Uneven questions while documents change", zipf.measure),
                ("Equal questions at one moment", flights.measure),
                ("A thousand callers", callers.measure),
                ("Three times the capacity", overload.measure),
                ("Jobs while workers die", jobs.measure),
                ("A limit over four gateways", limits.measure),
                ("Semantic tier", semantic.measure),
                ("A slow Redis", slow_redis.measure),
            ],
        )
    )
