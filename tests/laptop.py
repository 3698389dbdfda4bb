"""A mesh as processes, for tests: real Envoy, real Valkey, two replicas of each service, started by `scic up`."""

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from scic.client import Client
from scic.mesh.health import Health
from scic.mesh.paths import MeshPaths
from scic.mesh.report import report
from scic.mesh.state import MeshState, ProcessRecord, read_state

ROOT = Path(__file__).parent.parent
SERVICES = ("selector", "compressor", "composer", "gateway")
OWN_TENANT = "laptop"
_MARK = "TEST_MESH"
"""Environment variable that every process of a test's mesh inherits: it finds them, whatever `mesh.json` says."""


@dataclass(frozen=True)
class LaptopMesh:
    """A mesh in a data directory; it may be down."""

    data_dir: Path
    port: int
    keys: Mapping[str, str]
    """API key by tenant, beside the mesh's own tenant."""
    guest_key: str
    """A key of the mesh's own tenant that sees documents for everybody and for the group `guests`."""
    store: str = "embedded"
    """`embedded` or `weaviate`."""
    workers: int = 1
    """Processes that do jobs."""
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def api_key(self) -> str:
        return self.paths.api_key.read_text(encoding="utf-8").strip()

    @property
    def paths(self) -> MeshPaths:
        return MeshPaths(self.data_dir)

    @property
    def state(self) -> MeshState:
        state = read_state(self.paths.state)
        assert state is not None, "no mesh runs"
        return state

    def key_of(self, tenant: str) -> str:
        return self.api_key if tenant == OWN_TENANT else self.keys[tenant]

    def client(self, tenant: str = OWN_TENANT) -> Client:
        return Client(self.address, api_key=self.key_of(tenant))

    def scic(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a `scic` command against this mesh; fails the test with what it printed if it should not fail."""
        return run_scic(*arguments, "--data-dir", str(self.data_dir), check=check, env={_MARK: self.mark})

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a `scic` command against this mesh."""
        return subprocess.Popen(
            [*SCIC, *arguments, "--data-dir", str(self.data_dir)],
            env=_environment({_MARK: self.mark}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def up(self) -> None:
        """`scic up --detach`."""
        workers = ("--workers", str(self.workers))
        self.scic("up", "--port", str(self.port), *workers, "--store", self.store, "--detach")

    def down(self) -> None:
        """`scic down`; the test that uses the mesh must not leave it worse than that."""
        self.scic("down", check=False)
        for process in self.processes():
            process.kill()

    def status(self) -> dict[str, Any]:
        """What `scic status --json` says."""
        parsed: dict[str, Any] = json.loads(self.scic("status", "--json", check=False).stdout)
        return parsed

    def records(self, service: str) -> list[ProcessRecord]:
        return [record for record in self.state.processes if record.service == service]

    async def is_healthy(self) -> bool:
        """Whether every process that should run does, and answers."""
        state = self.state
        names = {(record.service, record.replica) for record in state.processes}
        expected = {(service, replica) for service in SERVICES for replica in (1, 2)} | {("valkey", 1)}
        expected |= {("worker", number + 1) for number in range(self.workers)}
        if self.store == "weaviate":
            expected.add(("weaviate", 1))
        return expected < names and all(entry.health is Health.HEALTHY for entry in await report(state))

    def processes(self) -> list[psutil.Process]:
        """Every process of this mesh that runs, the supervisor and `scic` commands among them."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and self._owns(process):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def _owns(self, process: psutil.Process) -> bool:
        # Valkey writes its title over its environment, but it works in its directory.
        return process.environ().get(_MARK) == self.mark or process.cwd() == str(self.paths.valkey)


def kill(records: Sequence[ProcessRecord], number: signal.Signals = signal.SIGKILL) -> None:
    """Sends a signal to processes of a mesh."""
    for record in records:
        os.kill(record.pid, number)


SCIC = (sys.executable, "-m", "scic.cli")


def run_scic(
    *arguments: str, check: bool = True, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a `scic` command; fails the test with what it printed if it ends with another code than 0."""
    done = subprocess.run(
        [*SCIC, *arguments],
        env=_environment(env or {}),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if check and done.returncode:
        pytest.fail(f"scic {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment without what a person set for `scic` and for services, and without a Weaviate of theirs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCIC_", "WEAVIATE_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare_mesh(
    data_dir: Path, tenants: Sequence[str] = (), *, store: str = "embedded", workers: int = 1
) -> LaptopMesh:
    """A data directory whose key file knows further tenants; nothing is started."""
    keys = {tenant: f"scic_{secrets.token_urlsafe(32)}" for tenant in tenants}
    guest_key = f"scic_{secrets.token_urlsafe(32)}"
    entries = [
        {
            "id": tenant,
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
            "tenant": tenant,
            "roles": ["reader", "writer", "operator"],
            "trust": "trusted",
        }
        for tenant, key in keys.items()
    ]
    entries.append(
        {
            "id": "guest",
            "sha256": hashlib.sha256(guest_key.encode()).hexdigest(),
            "tenant": OWN_TENANT,
            "roles": ["reader", "writer"],
            "groups": ["guests"],
        }
    )
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "keys.json").write_text(json.dumps({"keys": entries}), encoding="utf-8")
    return LaptopMesh(data_dir, free_port(), keys, guest_key, store, workers)


def start_mesh(data_dir: Path, tenants: Sequence[str] = (), *, store: str = "embedded", workers: int = 1) -> LaptopMesh:
    """Starts a mesh and waits until it is healthy."""
    mesh = prepare_mesh(data_dir, tenants, store=store, workers=workers)
    mesh.up()
    return mesh
