"""An Envoy of a benchmark's own, with the very file that the mesh's edge runs with, in front of other servers."""

import asyncio
import itertools
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import yaml

from benchmarks.laptop import Laptop
from scic.mesh.envoy import ADMIN_CLUSTER, render
from scic.mesh.health import wait_healthy
from scic.mesh.packages import installation
from scic.mesh.paths import MeshPaths
from scic.mesh.ports import LOOPBACK, free_ports
from scic.mesh.spec import Probe, ProbeKind

_START_SECONDS = 20.0


class EdgeError(Exception):
    """The Envoy does not become healthy; the message is one sentence."""


@contextmanager
def edge_before(mesh: Laptop, servers: Sequence[str], folder: Path) -> Iterator[str]:
    """Runs an Envoy in front of `servers` (host:port); yields its own host:port. Raises EdgeError."""
    shipped = MeshPaths(mesh.data_dir).run / "edge.yaml"
    resources = yaml.safe_load(shipped.read_text(encoding="utf-8"))["static_resources"]
    clusters = {cluster["name"] for cluster in resources["clusters"]} - {ADMIN_CLUSTER}
    listeners = [listener["name"] for listener in resources["listeners"]]
    admin, *ports = itertools.islice(free_ports(Random()), 1 + len(listeners))
    addresses = {name: (LOOPBACK, port) for name, port in zip(listeners, ports, strict=True)}
    # Those of the page as well: nobody asks for it.
    endpoints = {name: [(LOOPBACK, int(server.rpartition(":")[2])) for server in servers] for name in clusters}
    config, address = folder / f"edge-{admin}.yaml", f"{LOOPBACK}:{addresses['edge'][1]}"
    config.write_text(render(shipped, endpoints, addresses, admin), encoding="utf-8")
    flags = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    with config.with_suffix(".log").open("wb") as log:
        envoy = subprocess.Popen([installation().envoy, "-c", str(config), *flags], stdout=log, stderr=log)
        try:
            asyncio.run(_healthy(f"{address}/healthz"))
            yield address
        finally:
            envoy.kill()
            envoy.wait()


async def _healthy(target: str) -> None:
    try:
        await asyncio.wait_for(wait_healthy(Probe(ProbeKind.HTTP, target)), _START_SECONDS)
    except TimeoutError:
        raise EdgeError(f"No healthy server stands behind {target} after {_START_SECONDS:g} s.") from None
