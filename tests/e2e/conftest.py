"""A whole mesh as processes: real Envoy, real Valkey, two replicas of each service, started by `scic up`."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scic.client import Client

SCIC = (sys.executable, "-m", "scic.cli")


@dataclass(frozen=True)
class RunningMesh:
    """A mesh that `scic up` started."""

    data_dir: Path
    address: str
    api_key: str

    def client(self) -> Client:
        return Client(self.address, api_key=self.api_key)

    def scic(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a `scic` command against this mesh."""
        return run_scic(*arguments, "--data-dir", str(self.data_dir), check=check)

    def status(self) -> dict[str, Any]:
        """What `scic status --json` says."""
        parsed: dict[str, Any] = json.loads(self.scic("status", "--json", check=False).stdout)
        return parsed


def run_scic(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a `scic` command; fails the test with what it printed."""
    done = subprocess.run([*SCIC, *arguments], capture_output=True, text=True, check=False, timeout=300)
    if check and done.returncode:
        pytest.fail(f"scic {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_mesh(data_dir: Path, port: int) -> RunningMesh:
    """`scic up --detach`."""
    run_scic("up", "--data-dir", str(data_dir), "--port", str(port), "--detach")
    key = (data_dir / "api-key").read_text(encoding="utf-8").strip()
    return RunningMesh(data_dir, f"127.0.0.1:{port}", key)


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMesh]:
    """One mesh for all tests that leave it as healthy as they found it."""
    running = start_mesh(tmp_path_factory.mktemp("mesh"), free_port())
    yield running
    running.scic("down")


@pytest.fixture
def own_mesh(tmp_path: Path) -> Iterator[RunningMesh]:
    """A mesh of the test's own, to be broken."""
    running = start_mesh(tmp_path, free_port())
    yield running
    running.scic("down", check=False)
