"""Gateways or workers of a benchmark's own, beside those of the mesh: any number, set otherwise, killed at will."""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from benchmarks.gateway.bed import Bed, MeasureError
from benchmarks.laptop import MeshProcess
from scic.mesh.health import Health, check, wait_healthy
from scic.mesh.packages import installation
from scic.mesh.ports import LOOPBACK, free_ports
from scic.mesh.spec import Probe, ProbeKind

_START_SECONDS = 60.0


@dataclass(slots=True)
class Member:
    """A process of the fleet, which keeps its ports when it is started again."""

    environment: Mapping[str, str]
    address: str
    metrics: str
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    """How often it was started."""

    def start(self) -> None:
        """Start it; `healthy` tells when it is up."""
        self.starts += 1
        command = [sys.executable, "-m", "services.gateway"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=dict(self.environment), cwd=installation().root, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def healthy(self) -> None:
        """Wait until it serves. Raises MeasureError."""
        try:
            await asyncio.wait_for(wait_healthy(self._probe), _START_SECONDS)
        except TimeoutError:
            raise MeasureError(f"A gateway does not start: see {self.log}.") from None

    async def is_up(self) -> bool:
        """Whether it serves."""
        return await check(self._probe) is Health.HEALTHY

    @property
    def _probe(self) -> Probe:
        return Probe(ProbeKind.GRPC, self.address)

    @property
    def counted(self) -> MeshProcess:
        """It, as counters take it."""
        assert self.process is not None, "it runs"
        return MeshProcess("gateway", self.process.pid, self.address, self.metrics)


@contextmanager
def fleet(bed: Bed, count: int, settings: Mapping[str, str]) -> Iterator[list[Member]]:
    """Run so many processes, set as the mesh's gateways save for `settings`. Raises MeasureError."""
    # Their settings hold the password of this run's Redis, which nobody else knows.
    like = psutil.Process(bed.mesh.of("gateway")[0].pid).environ()
    ports = _ports(count)
    members = []
    with ExitStack() as stack:
        for number, (port, metrics, page) in enumerate(ports):
            own = {
                "SCIC_GATEWAY_PORT": str(port),
                "SCIC_GATEWAY_METRICS_PORT": str(metrics),
                "SCIC_GATEWAY_PAGE_PORT": str(page),
            }
            member = Member(
                environment={**os.environ, **like, **own, **settings},
                address=f"{LOOPBACK}:{port}",
                metrics=f"http://{LOOPBACK}:{metrics}/metrics",
                log=bed.folder / f"fleet-{port}-{number}.log",
            )
            stack.callback(member.kill)
            member.start()
            members.append(member)
        asyncio.run(_all_healthy(members))
        yield members


async def _all_healthy(members: list[Member]) -> None:
    await asyncio.gather(*(member.healthy() for member in members))


def _ports(count: int) -> list[tuple[int, int, int]]:
    free = list(itertools.islice(free_ports(Random()), 3 * count))
    return list(zip(free[::3], free[1::3], free[2::3], strict=True))
