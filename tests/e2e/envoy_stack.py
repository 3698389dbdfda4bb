"""The shipped Envoy configurations under the real Envoy, in front of stand-ins, for tests."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from scic.mesh import envoy, process
from scic.mesh.health import wait_healthy
from scic.mesh.packages import installation
from scic.mesh.ports import LOOPBACK, free_ports
from scic.mesh.spec import Probe, ProbeKind, ProcessSpec

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / "tests" / "unit" / "mesh" / "stand_in.py"
CALLED = {"edge": "gateway", "sidecar": "selector"}
CLUSTERS = {"edge": ["gateway", "gateway_page"], "sidecar": ["selector", "compressor", "composer"]}
LISTENERS = {"edge": ["edge"], "sidecar": ["selector", "compressor", "composer"]}


def shipped(name: str) -> Path:
    return ROOT / "envoy" / f"{name}.yaml"


@dataclass
class Stack:
    """One Envoy before two servers; every server takes part in every cluster."""

    directory: Path
    name: str
    delay: float = 0.0
    ports: list[int] = field(default_factory=lambda: list(itertools.islice(free_ports(Random()), 8)))
    servers: list[process.Running] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.ports[2]}"

    @property
    def ops(self) -> str:
        return f"{LOOPBACK}:{self.ports[3]}"

    @property
    def pages(self) -> list[tuple[str, int]]:
        """Where the edge looks for the page of both gateways."""
        return [(LOOPBACK, port) for port in self.ports[6:8]]

    def server_spec(self, index: int, drain: float = 0.0) -> ProcessSpec:
        address = f"{LOOPBACK}:{self.ports[index]}"
        return ProcessSpec(
            name=f"server-{index + 1}",
            service="server",
            replica=index + 1,
            argv=(sys.executable, str(STAND_IN)),
            env={
                "STAND_IN_PORT": str(self.ports[index]),
                "STAND_IN_NAME": f"server-{index + 1}",
                "STAND_IN_DELAY": str(self.delay),
                "STAND_IN_DRAIN": str(drain),
            },
            cwd=self.directory,
            log=self.directory / f"server-{index + 1}.log",
            address=address,
            probe=Probe(ProbeKind.GRPC, address),
        )

    def envoy_spec(self) -> ProcessSpec:
        hosts = [(LOOPBACK, port) for port in self.ports[:2]]
        names = LISTENERS[self.name]
        listeners = {
            name: (LOOPBACK, port) for name, port in zip(names, [self.ports[2], *self.ports[5:]], strict=False)
        }
        listeners["ops"] = (LOOPBACK, self.ports[3])
        config = self.directory / "envoy.yaml"
        endpoints = {cluster: self.pages if cluster == "gateway_page" else hosts for cluster in CLUSTERS[self.name]}
        config.write_text(envoy.render(shipped(self.name), endpoints, listeners, self.ports[4]))
        flags = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
        return ProcessSpec(
            name="envoy-1",
            service="envoy",
            replica=1,
            argv=(installation().envoy, "-c", str(config), *flags),
            env={},
            cwd=self.directory,
            log=self.directory / "envoy.log",
            address=self.address,
            probe=Probe(ProbeKind.HTTP, f"{self.ops}/ready"),
        )

    async def start_server(self, index: int) -> process.Running:
        spec = self.server_spec(index)
        server = await process.start(spec)
        await asyncio.wait_for(wait_healthy(spec.probe), 20)
        return server


async def kill(running: process.Running) -> None:
    running.signal(signal.SIGKILL)
    await running.wait()


async def started(stack: Stack, exits: AsyncExitStack) -> Stack:
    for server in await asyncio.gather(*(stack.start_server(index) for index in range(2))):
        stack.servers.append(server)
        exits.push_async_callback(kill, server)
    spec = stack.envoy_spec()
    proxy = await process.start(spec)
    exits.push_async_callback(kill, proxy)
    await asyncio.wait_for(wait_healthy(spec.probe), 20)
    return stack
