"""A real Valkey for tests, to be killed and started again."""

import itertools
import os
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Self

import pytest
import redis

from scic.mesh import valkey
from scic.mesh.packages import installation
from scic.mesh.ports import free_ports

ALONE, CLUSTER = pytest.param(False, id="alone"), pytest.param(True, id="cluster")
"""Whether a server is a node of a cluster, for tests of both."""


class Valkey:
    """A server with the laptop's own configuration; as one node of a cluster that holds all slots, if asked.

    It runs from `start`, or within its context.
    """

    def __init__(self, directory: Path, *, cluster: bool = False) -> None:
        self.port, bus = itertools.islice(free_ports(Random()), 2)
        self.cluster = cluster
        self._password = secrets.token_urlsafe(16)
        self.directory = directory
        self._config = directory / "valkey.conf"
        text = valkey.render(port=self.port, password=self._password, directory=directory)
        if cluster:
            text += f"cluster-enabled yes\ncluster-port {bus}\n"
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with (self.directory / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen([installation().valkey, str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline:
                pytest.fail("Valkey did not start")
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL; harmless where it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client, suppress(redis.RedisError):
            if not self.cluster:
                return bool(client.ping())
            state = str(client.execute_command("CLUSTER", "INFO"))
            if "cluster_slots_assigned:0" in state:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            return "cluster_state:ok" in state
        return False
