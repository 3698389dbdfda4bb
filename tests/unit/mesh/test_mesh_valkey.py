"""The real Valkey with the laptop's configuration."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError

from scic.mesh import process, valkey
from scic.mesh.health import Health, check, wait_healthy
from scic.mesh.packages import installation
from scic.mesh.spec import Command, Probe, ProbeKind

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeSpec


@pytest.mark.parametrize("name", ["plain", "with space", 'with "quote" and \\'])
async def test_what_was_written_survives_kill_9_in_any_directory(spec: MakeSpec, tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    address = spec("valkey-1").address
    host, port = address.split(":")
    config = tmp_path / "valkey.conf"
    config.write_text(valkey.render(port=int(port), password="s3cret", directory=directory))
    command = Command(
        name="valkey", argv=(installation().valkey, str(config)), env={}, cwd=tmp_path, log=tmp_path / "log"
    )

    async def started() -> process.Running:
        server = await process.start(command)
        await asyncio.wait_for(wait_healthy(Probe(ProbeKind.REDIS, address, "s3cret")), 10)
        return server

    server = await started()
    try:
        async with redis.asyncio.Redis(host=host, port=int(port), password="s3cret") as client:
            await client.set("corpus", "7")
            config_now = await client.config_get("maxmemory*")
        assert config_now["maxmemory-policy"] == "volatile-lru"
        assert config_now["maxmemory"] == str(256 * 2**20)
        async with redis.asyncio.Redis(host=host, port=int(port)) as stranger:
            with pytest.raises(AuthenticationError):
                await stranger.get("corpus")
        assert await check(Probe(ProbeKind.REDIS, address, "another")) is Health.NOT_SERVING
        server.process.send_signal(signal.SIGSTOP)
        assert await check(Probe(ProbeKind.REDIS, address, "s3cret"), 0.2) is Health.UNREACHABLE
        server.process.kill()
        await server.wait()
        server = await started()
        async with redis.asyncio.Redis(host=host, port=int(port), password="s3cret") as client:
            assert await client.get("corpus") == b"7"
    finally:
        await server.stop(5.0, asyncio.Event())
