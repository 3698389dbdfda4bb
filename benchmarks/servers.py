"""Weaviate, and the Valkey by which its writers take turns, for as long as a benchmark lasts."""

import itertools
import os
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import redis

from scic.mesh import valkey
from scic.mesh.packages import installation
from scic.mesh.ports import free_ports
from scic.mesh.weaviate import GO_MODULE, find_program, server_command, server_environment

_START_SECONDS = 120.0


class ServerError(Exception):
    """A server cannot be had or does not start; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Servers:
    """How to reach them."""

    url: str
    grpc_port: int
    api_key: str
    redis_url: str
    weaviate_pid: int


@contextmanager
def weaviate_servers(folder: Path) -> Iterator[Servers]:
    """Start both on loopback with their files in `folder`. Raises ServerError."""
    program = find_program(os.environ)
    if program is None:
        raise ServerError(f"There is no weaviate-server: get it by `make weaviate` or `go install {GO_MODULE}`.")
    http, grpc, gossip, internal, raft, raft_rpc, redis_port = itertools.islice(free_ports(Random()), 7)
    key, password = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "valkey.conf"
    configuration.write_text(valkey.render(port=redis_port, password=password, directory=folder), encoding="utf-8")
    environment = server_environment(
        data=folder / "weaviate",
        grpc=grpc,
        gossip=gossip,
        internal=internal,
        raft=raft,
        raft_rpc=raft_rpc,
        api_key=key,
    )
    url, redis_url = f"http://127.0.0.1:{http}", f"redis://:{password}@127.0.0.1:{redis_port}/0"
    with ExitStack() as stack:
        stack.enter_context(_running([str(installation().valkey), str(configuration)], {}, folder / "valkey.log"))
        server = stack.enter_context(_running(server_command(program, http), environment, folder / "weaviate.log"))
        deadline = time.monotonic() + _START_SECONDS
        while not (_weaviate_ready(url) and _valkey_ready(redis_url)):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"Weaviate or Valkey did not start: see the logs in {folder}.")
            time.sleep(0.1)
        yield Servers(url, grpc, key, redis_url, server.pid)


@contextmanager
def _running(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _weaviate_ready(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/v1/.well-known/ready", timeout=2) as reply:
        return bool(reply.status == 200)
    return False


def _valkey_ready(url: str) -> bool:
    with redis.Redis.from_url(url) as client, suppress(redis.RedisError):
        return bool(client.ping())
    return False
