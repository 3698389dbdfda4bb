"""Serving: start, health, drain and the ways in which a start fails, in process and as processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scic.errors import CORRUPT_CORPUS
from services.chassis import App, Component, Context, Health, ServeSettings, StartupError, stage_channel, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE = "kitchen.v1.Kitchen"


class Kitchen:
    """A service with one component and a diary."""

    def __init__(self, *, up: bool = True, failure: Exception | None = None) -> None:
        self.up, self.failure = up, failure
        self.diary: list[str] = []
        self.stove: Component | None = None
        self.cooking, self.cooked = asyncio.Event(), asyncio.Event()

    async def cook(self, request: bytes, _: Context) -> bytes:
        self.cooking.set()
        await self.cooked.wait()
        self.diary.append("cooked")
        return request

    def register(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"Cook": grpc.unary_unary_rpc_method_handler(self.cook)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    @asynccontextmanager
    async def build(self, health: Health) -> AsyncIterator[App]:
        self.stove = health.component("stove")
        self.diary.append("opened")
        if self.failure is not None:
            raise self.failure
        if self.up:
            self.stove.up()
        yield App("kitchen", self.register, (SERVICE,))
        self.diary.append("closed")


def settings(**changes: Any) -> ServeSettings:
    return ServeSettings(**({"port": 0, "drain_seconds": 0.0, "grace_seconds": 1.0} | changes))


async def status(channel: grpc.aio.Channel, service: str = "") -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    return int(answer.status)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_serves_only_while_every_component_is_up_and_tells_watchers(service: str) -> None:
    kitchen = Kitchen(up=False)
    async with start(kitchen.build, settings()) as port, stage_channel(f"127.0.0.1:{port}") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=service))
        updates = watch.__aiter__()
        assert (await anext(updates)).status == NOT_SERVING
        assert kitchen.stove is not None
        kitchen.stove.up()
        assert (await anext(updates)).status == SERVING
        kitchen.stove.down("out of gas")
        assert (await anext(updates)).status == NOT_SERVING
        assert await status(channel, service) == NOT_SERVING
        watch.cancel()


async def test_a_service_that_was_scraped_is_started_again_at_the_same_ports() -> None:
    metrics_port = free_port()
    for _ in range(3):
        async with start(Kitchen().build, settings(metrics_port=metrics_port)):
            assert b"process_" in await asyncio.to_thread(read, f"http://127.0.0.1:{metrics_port}/metrics")


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as page:
        return bytes(page.read())


async def test_a_draining_server_says_so_and_still_answers() -> None:
    kitchen = Kitchen()
    seen: list[int] = []
    async with stage_channel_of(kitchen, drain_seconds=1.0) as (channel, leave):
        assert await status(channel) == SERVING
        updates = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()).__aiter__()
        assert (await anext(updates)).status == SERVING
        leave.set()
        seen.append((await anext(updates)).status)
        seen.append(await status(channel))
        assert kitchen.diary == ["opened"]
    assert seen == [NOT_SERVING, NOT_SERVING]
    assert kitchen.diary == ["opened", "closed"]


@pytest.mark.parametrize(
    ("finishes", "diary"),
    [(True, ["opened", "cooked", "closed"]), (False, ["opened", "closed"])],
    ids=["within the grace", "not within the grace"],
)
async def test_a_request_under_way_has_the_grace_to_finish(finishes: bool, diary: list[str]) -> None:
    kitchen = Kitchen()
    async with stage_channel_of(kitchen, grace_seconds=10.0 if finishes else 0.1) as (channel, leave):
        call = channel.unary_unary(f"/{SERVICE}/Cook", bytes, bytes)(b"soup")
        await kitchen.cooking.wait()
        leave.set()
        if finishes:
            await asyncio.sleep(0.2)
            kitchen.cooked.set()
            assert await call == b"soup"
        else:
            with pytest.raises(grpc.aio.AioRpcError):
                await call
    assert kitchen.diary == diary


@asynccontextmanager
async def stage_channel_of(kitchen: Kitchen, **changes: Any) -> AsyncIterator[tuple[grpc.aio.Channel, asyncio.Event]]:
    """A server in a task of its own, which leaves when the event says so."""
    leave, bound = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def live() -> None:
        async with start(kitchen.build, settings(**changes)) as port:
            bound.set_result(port)
            await leave.wait()

    life = asyncio.create_task(live())
    async with stage_channel(f"127.0.0.1:{await bound}") as channel:
        yield channel, leave
    await asyncio.wait_for(life, 10)


async def test_the_operators_port_shows_metrics_and_health() -> None:
    kitchen = Kitchen()
    port = free_port()

    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    async with start(kitchen.build, settings(metrics_port=port)):
        code, body = await asyncio.to_thread(get, "/metrics")
        assert code == 200
        assert "# TYPE context_request_duration_seconds histogram" in body
        code, body = await asyncio.to_thread(get, "/healthz")
        assert (code, json.loads(body)["components"]) == (200, {"server": "up", "stove": "up"})
        assert kitchen.stove is not None
        kitchen.stove.down("out of gas")
        code, body = await asyncio.to_thread(get, "/healthz")
        assert (code, json.loads(body)["components"]["stove"]) == (503, "out of gas")
        assert (await asyncio.to_thread(get, "/"))[0] == 404
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(get, "/metrics")


@pytest.mark.parametrize("taken", ["port", "metrics_port"])
async def test_a_port_in_use_is_one_sentence_and_nothing_was_opened(taken: str) -> None:
    kitchen = Kitchen()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartupError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            async with start(kitchen.build, settings(**{taken: port})):
                pytest.fail("started")
    assert kitchen.diary == []


async def test_two_servers_cannot_share_a_port() -> None:
    async with start(Kitchen().build, settings()) as port:
        with pytest.raises(StartupError, match="cannot listen"):
            async with start(Kitchen().build, settings(port=port)):
                pytest.fail("started")
        # One that asks for sharing gets none: else each would get half of the calls.
        other = grpc.aio.server(options=(("grpc.so_reuseport", 1),))
        with pytest.raises(RuntimeError, match="bind"):
            other.add_insecure_port(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "failure",
    [CORRUPT_CORPUS.error("the file /data/x ends early"), PermissionError(13, "Permission denied", "/data/x")],
    ids=["catalogue", "operating system"],
)
async def test_what_a_service_stands_on_may_fail(failure: Exception) -> None:
    with pytest.raises(StartupError, match="/data/x"):
        async with start(Kitchen(failure=failure).build, settings()):
            pytest.fail("started")


async def test_an_error_of_the_embedding_program_passes_and_everything_closes() -> None:
    kitchen = Kitchen()
    with pytest.raises(KeyError):
        async with start(kitchen.build, settings()):
            raise KeyError
    assert kitchen.diary[0] == "opened"


PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from pydantic_settings import SettingsConfigDict
from services.chassis import App, ServeSettings, serve, settings_or_exit

class KitchenSettings(ServeSettings):
    model_config = SettingsConfigDict(env_prefix="SCIC_KITCHEN_")

@asynccontextmanager
async def build(health):
    match sys.argv[1]:
        case "slow":
            await asyncio.sleep(60)
        case "bug":
            raise KeyError("a bug")
    yield App("kitchen", lambda server: None, ("kitchen.v1.Kitchen",))
    sys.stderr.write("closed\\n")

settings = settings_or_exit(KitchenSettings)
serve(build, settings)
"""


class Process:
    """The program above as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, event: str) -> dict[str, Any]:
        """Read stderr up to the log line of an event."""
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            async for raw in self.process.stderr:
                self.lines.append(raw.decode().rstrip())
                if self.lines[-1].startswith("{") and (line := json.loads(self.lines[-1]))["event"] == event:
                    return dict(line)
        raise AssertionError(f"no {event!r} in {self.lines}")

    async def end(self) -> int:
        """Wait for the end and read the rest."""
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            self.lines += (await self.process.stderr.read()).decode().splitlines()
            return await self.process.wait()


@asynccontextmanager
async def program(mode: str = "good", **environment: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        mode,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_stop_signal_drains_first_and_ends_with_0(number: signal.Signals) -> None:
    async with program(SCIC_KITCHEN_PORT="0", SCIC_KITCHEN_DRAIN_SECONDS="1") as kitchen:
        port = (await kitchen.until("serving"))["port"]
        async with stage_channel(f"127.0.0.1:{port}") as channel:
            assert await status(channel) == SERVING
            kitchen.process.send_signal(number)
            await kitchen.until("draining")
            assert await status(channel) == NOT_SERVING
        assert await kitchen.end() == 0
        assert "closed" in kitchen.lines
        assert not any("Traceback" in line for line in kitchen.lines)


async def test_a_stop_signal_ends_a_start_that_hangs() -> None:
    async with program("slow", SCIC_KITCHEN_PORT="0", SCIC_KITCHEN_METRICS_PORT="0") as kitchen:
        await kitchen.until("metrics")
        kitchen.process.send_signal(signal.SIGTERM)
        assert await kitchen.end() == 0


async def test_a_port_in_use_ends_with_2_and_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with program(SCIC_KITCHEN_PORT=str(port)) as kitchen:
            assert await kitchen.end() == 2
            sentence = f"scic_kitchen: cannot listen on 127.0.0.1:{port}: Address already in use"
            assert [line for line in kitchen.lines if not line.startswith("{")] == [sentence]


async def test_wrong_settings_end_with_2_and_all_mistakes() -> None:
    async with program(SCIC_KITCHEN_HOST="", SCIC_KITCHEN_LOG_LEVEL="loud") as kitchen:
        assert await kitchen.end() == 2
        assert kitchen.lines[0] == "scic_kitchen: settings are wrong:"
        assert [line.split()[0] for line in kitchen.lines[1:]] == [
            "SCIC_KITCHEN_HOST",
            "SCIC_KITCHEN_PORT",
            "SCIC_KITCHEN_LOG_LEVEL",
        ]


async def test_a_bug_ends_with_1_and_a_trace_in_the_log() -> None:
    async with program("bug", SCIC_KITCHEN_PORT="0") as kitchen:
        line = await kitchen.until("the service failed")
        assert "KeyError" in line["exception"]
        assert await kitchen.end() == 1
        assert all(line.startswith("{") for line in kitchen.lines)
