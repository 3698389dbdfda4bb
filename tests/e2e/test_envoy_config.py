"""The shipped Envoy configurations under the real Envoy, in front of two real gRPC servers."""

from __future__ import annotations

import asyncio
import collections
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio

from scic.mesh.health import Health, check, wait_healthy
from scic.mesh.keeper import Policy
from scic.mesh.packages import installation
from scic.mesh.race import race
from scic.mesh.spec import MeshPlan, Probe, ProbeKind
from scic.mesh.supervisor import Supervisor
from tests.e2e.envoy_stack import Stack, kill, shipped, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

# One loop for all, so that the tests which change nothing share one Envoy.
pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

METHOD = "/scic.gateway.v1.ContextService/BuildContext"
KEY = ("authorization", "Bearer some-key")


@pytest_asyncio.fixture(loop_scope="module", params=["edge", "sidecar"])
async def stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    async with AsyncExitStack() as exits:
        yield await started(Stack(tmp_path, request.param, delay=0.02), exits)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with AsyncExitStack() as exits:
        yield await started(Stack(tmp_path_factory.mktemp("edge"), "edge"), exits)


def method(channel: grpc.aio.Channel) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(METHOD)


async def call(
    channel: grpc.aio.Channel, body: bytes = b"", metadata: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    keyed = (*metadata, *(() if any(name == KEY[0] for name, _ in metadata) else (KEY,)))
    answer: dict[str, Any] = json.loads(await method(channel)(body, timeout=10, metadata=keyed))
    return answer


async def calls(channel: grpc.aio.Channel, count: int, *, body: bytes = b"", parallel: int = 16) -> list[str]:
    """The names of the servers that answered; a failed call raises."""
    room = asyncio.Semaphore(parallel)

    async def one() -> str:
        async with room:
            return str((await call(channel, body))["name"])

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def until_only(channel: grpc.aio.Channel, names: set[str]) -> None:
    """Calls until twenty calls in a row went to exactly these servers."""
    async with asyncio.timeout(20):
        while set(await calls(channel, 20)) != names:  # noqa: ASYNC110 - Envoy has no event to wait for
            await asyncio.sleep(0.05)


async def validate(config: Path) -> tuple[int | None, str]:
    command = (installation().envoy, "--mode", "validate", "-c", str(config), "--disable-hot-restart")
    ran = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await ran.communicate()
    return ran.returncode, output.decode()


@pytest.mark.parametrize("name", ["edge", "sidecar"])
async def test_envoy_accepts_the_configuration_as_shipped(name: str) -> None:
    code, output = await validate(shipped(name))
    assert code == 0, output
    assert "deprecated" not in output.lower()


@pytest.mark.parametrize("name", ["edge", "sidecar"])
async def test_envoy_accepts_the_rendered_configuration(name: str, tmp_path: Path) -> None:
    code, output = await validate(Path(Stack(tmp_path, name).envoy_spec().argv[2]))
    assert code == 0, output


async def test_calls_of_one_connection_go_to_both_servers(stack: Stack) -> None:
    async with grpc.aio.insecure_channel(stack.address) as channel:
        served = collections.Counter(await calls(channel, 200))
    assert min(served["server-1"], served["server-2"]) >= 50


@pytest.mark.parametrize(("count", "size"), [(400, 100), (60, 2_000_000)], ids=["small", "2 MB"])
async def test_a_server_killed_under_calls_fails_none(stack: Stack, count: int, size: int) -> None:
    async with grpc.aio.insecure_channel(stack.address) as channel:
        await calls(channel, 20)
        under_way = asyncio.create_task(calls(channel, count, body=bytes(size)))
        await asyncio.sleep(0.15)
        assert not under_way.done()
        await kill(stack.servers[0])
        assert len(await under_way) == count
        assert set(await calls(channel, 40)) == {"server-2"}


async def test_a_server_that_says_not_serving_gets_no_calls_until_it_serves_again(stack: Stack) -> None:
    async with grpc.aio.insecure_channel(stack.address) as channel:
        await calls(channel, 20)
        stack.servers[0].signal(signal.SIGUSR1)
        await until_only(channel, {"server-2"})
        assert set(await calls(channel, 100)) == {"server-2"}
        stack.servers[0].signal(signal.SIGUSR2)
        await until_only(channel, {"server-1", "server-2"})


async def test_a_server_that_returns_gets_calls_again(stack: Stack) -> None:
    async with AsyncExitStack() as exits, grpc.aio.insecure_channel(stack.address) as channel:
        await kill(stack.servers[0])
        await calls(channel, 50)
        exits.push_async_callback(kill, await stack.start_server(0))
        await until_only(channel, {"server-1", "server-2"})
        await calls(channel, 100)


async def _end_of(running: asyncio.Task[None]) -> None:
    await asyncio.wait({running})


@pytest.mark.parametrize("name", ["edge", "sidecar"])
async def test_a_rolling_restart_under_calls_fails_none(name: str, tmp_path: Path) -> None:
    stack = Stack(tmp_path, name, delay=0.02)
    servers = tuple(stack.server_spec(index, drain=1.5) for index in range(2))
    plan = MeshPlan(
        files={},
        preparations=(),
        waves=(servers, (stack.envoy_spec(),)),
        stop_order=(("envoy",), ("server",)),
        rolling=("server",),
    )
    ready = asyncio.Event()
    supervisor = Supervisor(plan, tell=lambda event: ready.set() if event.kind == "ready" else None, policy=Policy())
    running = asyncio.create_task(supervisor.run())
    try:
        assert await race(ready.wait(), _end_of(running), timeout_seconds=30) == 0
        before = {keeper.running.pid for keeper in supervisor.keepers if keeper.running}
        async with grpc.aio.insecure_channel(stack.address) as channel:
            rolled = asyncio.create_task(supervisor.rolling_restart(None))
            while not rolled.done():
                await calls(channel, 20)
            await rolled
        after = {keeper.running.pid for keeper in supervisor.keepers if keeper.running}
        assert len(after - before) == 2
    finally:
        supervisor.stop()
        supervisor.stop()
        await running


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        (("x-scic-tenant", "someone-else"), False),
        (("x-scic-roles", "admin"), False),
        (("x-envoy-retry-on", "5xx"), False),
        (("x-envoy-max-retries", "50"), False),
        (("x-request-id", "the-callers-own"), True),
        (("authorization", "Bearer scic_abc"), True),
        (("x-other", "kept"), True),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_headers_from_outside(edge: Stack, sent: tuple[str, str], arrives: bool) -> None:
    async with grpc.aio.insecure_channel(edge.address) as channel:
        metadata = (await call(channel, metadata=[sent]))["metadata"]
    assert metadata.get(sent[0]) == (sent[1] if arrives else None)


async def test_a_call_without_request_id_gets_one_and_hears_it(edge: Stack) -> None:
    async with grpc.aio.insecure_channel(edge.address) as channel:
        calling = method(channel)(b"", timeout=10)
        initial = await calling.initial_metadata()
        answer = json.loads(await calling)
    given = answer["metadata"]["x-request-id"]
    assert len(given) == 36
    assert initial["x-request-id"] == given


async def test_headers_over_the_limit_are_refused(edge: Stack) -> None:
    async with grpc.aio.insecure_channel(edge.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(channel, metadata=[("x-long", "x" * 20_000)])
        assert await call(channel)


@pytest.mark.parametrize("stack", ["edge"], indirect=True)
async def test_of_a_flood_without_keys_little_gets_to_a_gateway_and_nothing_else_suffers(stack: Stack) -> None:
    async with grpc.aio.insecure_channel(stack.address) as channel:

        async def without_a_key() -> str:
            try:
                await method(channel)(b"", timeout=10)
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return "OK"

        flood = asyncio.gather(*(without_a_key() for _ in range(2000)))
        assert len(await calls(channel, 400)) == 400
        outcomes = collections.Counter(await flood)
        assert set(outcomes) == {"OK", "RESOURCE_EXHAUSTED"}
        assert outcomes["OK"] >= 200
        assert outcomes["RESOURCE_EXHAUSTED"] > 0


@pytest.mark.parametrize("stack", ["edge"], indirect=True)
async def test_the_health_page_tells_whether_gateways_are_healthy(stack: Stack) -> None:
    page = Probe(ProbeKind.HTTP, f"{stack.address}/healthz")
    await asyncio.wait_for(wait_healthy(page), 10)
    await kill(stack.servers[0])
    await kill(stack.servers[1])
    async with asyncio.timeout(10):
        while await check(page) is not Health.NOT_SERVING:  # noqa: ASYNC110 - Envoy has no event to wait for
            await asyncio.sleep(0.05)
    async with grpc.aio.insecure_channel(stack.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("path", "health"),
    [
        ("ready", Health.HEALTHY),
        ("stats/prometheus", Health.HEALTHY),
        ("quitquitquit", Health.NOT_SERVING),
        ("config_dump", Health.NOT_SERVING),
    ],
)
async def test_only_two_paths_of_the_admin_are_served(edge: Stack, path: str, health: Health) -> None:
    assert await check(Probe(ProbeKind.HTTP, f"{edge.ops}/{path}")) is health


async def test_nothing_but_grpc_and_the_page_comes_in(edge: Stack) -> None:
    assert await check(Probe(ProbeKind.HTTP, f"{edge.address}/")) is Health.NOT_SERVING
