"""The mesh under test: started as a user starts it, asked as an operator asks it, and always stopped."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from services.text.model import model_file

STAGES = ("selector", "compressor", "composer")


class LaptopError(Exception):
    """The mesh cannot be started or asked; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class MeshProcess:
    """One process of the mesh."""

    service: str
    pid: int
    address: str
    """host:port where it is called."""
    metrics: str | None
    """URL of its Prometheus page."""


@dataclass(frozen=True, slots=True)
class Laptop:
    """A running mesh."""

    data_dir: Path
    edge: str
    """host:port of the public API."""
    api_key: str
    start_seconds: float
    """From the command to a healthy mesh; the encoder's model was built before."""
    processes: Sequence[MeshProcess]

    def of(self, *services: str) -> list[MeshProcess]:
        """The replicas of these services."""
        return [process for process in self.processes if process.service in services]


@contextmanager
def laptop_mesh(
    data_dir: Path, settings: Mapping[str, str] = MappingProxyType({}), *, options: Sequence[str] = ()
) -> Iterator[Laptop]:
    """Run `scic up` on an empty data directory for as long as the context lasts. Raises LaptopError.

    `settings` are variables that the services read, beside what the mesh tells them; `options` are further ones of
    `scic up`.
    """
    model_file(data_dir / "models")
    start = time.perf_counter()
    try:
        _scic("up", "--detach", "--data-dir", str(data_dir), "--port", str(_free_port()), *options, settings=settings)
        seconds = time.perf_counter() - start
        status = json.loads(_scic("status", "--json", "--data-dir", str(data_dir)))
        yield Laptop(
            data_dir=data_dir,
            edge=status["edge"],
            api_key=Path(status["api_key_file"]).read_text(encoding="utf-8").strip(),
            start_seconds=seconds,
            processes=[MeshProcess(p["service"], p["pid"], p["address"], p["metrics"]) for p in status["processes"]],
        )
    finally:
        _scic("down", "--data-dir", str(data_dir))


def _scic(*arguments: str, settings: Mapping[str, str] = MappingProxyType({})) -> str:
    """Runs the command and returns what it prints; what it says about errors is printed as it comes."""
    done = subprocess.run(
        [sys.executable, "-m", "scic.cli", *arguments],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    if done.returncode:
        raise LaptopError(f"`scic {arguments[0]}` ended with exit code {done.returncode}: see above.")
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
