"""A real Weaviate for tests, to be killed, stopped for a while and started again.

The server is looked for under WEAVIATE_URL (with WEAVIATE_GRPC_PORT, default 50051), then as the program
`weaviate-server` on PATH and in Go's folder, where `make weaviate` puts it. With none a laptop skips; CI fails.
"""

from __future__ import annotations

import atexit
import hashlib
import itertools
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import weaviate
from redis.asyncio import Redis

from scic.mesh.ports import free_ports
from scic.mesh.weaviate import DEFAULT_GRPC_PORT, find_program, server_command, server_environment
from services.selector.weaviate import Address, WeaviateStore
from tests.valkey import Valkey

if TYPE_CHECKING:
    import signal
    from contextlib import AsyncExitStack

    from weaviate import WeaviateAsyncClient

    from services.selector.ports import Store

_STARTING = 120
"""Seconds that a start may take on a busy machine."""


def required_program() -> Path:
    """The server's program; without one a laptop skips the test, and CI fails it."""
    program = find_program(os.environ)
    if program is None:
        message = "no Weaviate: run `make weaviate`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return program


class Weaviate:
    """A server of its own on loopback, or the one that WEAVIATE_URL names, which cannot be killed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._given = os.environ.get("WEAVIATE_URL")
        self.api_key: str | None
        if self._given:
            self.url = self._given
            self.grpc_port = int(os.environ.get("WEAVIATE_GRPC_PORT", DEFAULT_GRPC_PORT))
            self.api_key = os.environ.get("WEAVIATE_API_KEY")
            return
        self.api_key = secrets.token_urlsafe(16)
        self._ports = list(itertools.islice(free_ports(Random()), 6))
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        self.grpc_port = self._ports[1]

    def start(self, **environment: str) -> None:
        """Start the server and wait until it is ready; `environment` goes over the usual one."""
        if self._given:
            return
        binary = required_program()
        http, grpc, gossip, internal, raft, raft_rpc = self._ports
        variables = server_environment(
            data=self.folder,
            grpc=grpc,
            gossip=gossip,
            internal=internal,
            raft=raft,
            raft_rpc=raft_rpc,
            api_key=self.api_key or "",
        )
        command = server_command(binary, http)
        with (self._directory / "weaviate.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **variables, **environment}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _STARTING
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Weaviate did not start: {self._directory / 'weaviate.log'}")
            time.sleep(0.05)

    def ready(self) -> bool:
        """Tell whether it answers."""
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/v1/.well-known/ready", timeout=2) as reply:
            return bool(reply.status == 200)
        return False

    def client(self) -> WeaviateAsyncClient:
        """Weaviate's own client, to be entered."""
        parts = urlsplit(self.url)
        host = parts.hostname or "127.0.0.1"
        return weaviate.use_async_with_local(
            host=host, port=parts.port or 80, grpc_port=self.grpc_port, auth_credentials=self.api_key
        )

    @property
    def address(self) -> Address:
        """What a store connects to."""
        return Address(self.url, self.grpc_port, self.api_key)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def folder(self) -> Path:
        """Where it keeps its files."""
        return self._directory / "data"

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL; harmless where it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@cache
def shared_weaviate() -> Weaviate:
    """One server for all tests that leave it as healthy as they found it; it runs until the tests end."""
    server = Weaviate(_temporary_folder())
    server.start()
    atexit.register(server.kill)
    return server


@cache
def shared_valkey() -> Valkey:
    """The Redis by which its writers take turns."""
    server = Valkey(_temporary_folder())
    server.start()
    atexit.register(server.kill)
    return server


def prefix_of(folder: Path) -> str:
    """What the collections of a test are called that has this folder for itself."""
    return "T" + hashlib.blake2b(str(folder).encode(), digest_size=6).hexdigest()


async def open_weaviate(stack: AsyncExitStack, folder: Path) -> Store:
    """Opens a store whose collections are of this folder; they go with the first that is closed."""
    server = shared_weaviate()
    redis = Redis.from_url(shared_valkey().url)
    stack.push_async_callback(redis.aclose)
    store = WeaviateStore(server.address, redis, prefix=prefix_of(folder))
    stack.push_async_callback(store.close)
    stack.push_async_callback(drop_collections, server, prefix_of(folder))
    return store


async def drop_collections(server: Weaviate, prefix: str) -> None:
    """Remove what a test made, so that a long run of tests does not slow the server down."""
    async with server.client() as client:
        mine = [name for name in await client.collections.list_all() if name.startswith(prefix)]
        await client.collections.delete(mine)


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="scic-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
