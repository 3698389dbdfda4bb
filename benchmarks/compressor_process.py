"""The compressor as it is run, in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from scic.mesh.ports import LOOPBACK, free_ports, is_free

_START_SECONDS = 60.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Compressor:
    """A running compressor."""

    address: str
    """host:port"""
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """CPU time that it has taken so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def compressor_process(model_dir: Path) -> Iterator[Compressor]:
    """Run a compressor for as long as the context lasts. Raises TimeoutError where it does not start."""
    port = next(free_ports(Random()))
    environment = {
        **os.environ,
        **_ONE_THREAD,
        "SCIC_COMPRESSOR_PORT": str(port),
        "SCIC_COMPRESSOR_METRICS_PORT": "0",
        "SCIC_COMPRESSOR_MODEL_DIR": str(model_dir),
        "SCIC_COMPRESSOR_LOG_LEVEL": "warning",
        "SCIC_COMPRESSOR_DRAIN_SECONDS": "0",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.compressor"], env=environment)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while is_free(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the compressor did not start within {_START_SECONDS:g} s")
            time.sleep(0.05)
        yield Compressor(f"{LOOPBACK}:{port}", psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()
