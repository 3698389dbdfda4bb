"""Asks a process whether it is well, by the protocol it speaks."""

import asyncio
from contextlib import suppress
from enum import StrEnum

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scic.mesh.spec import Probe, ProbeKind

_POLL_SECONDS = 0.15

# Every check opens its own connection, at once: a shared one would wait out the back-off of an earlier refusal.
_CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


class Health(StrEnum):
    """The answer."""

    HEALTHY = "healthy"
    NOT_SERVING = "not_serving"
    """It answers, and says that it wants no traffic."""
    UNREACHABLE = "unreachable"
    """No answer in time."""


async def check(probe: Probe, timeout_seconds: float = 1.0) -> Health:
    """Ask once."""
    try:
        async with asyncio.timeout(timeout_seconds):
            match probe.kind:
                case ProbeKind.GRPC:
                    return await _grpc(probe.target)
                case ProbeKind.HTTP:
                    return await _http(probe.target)
                case ProbeKind.TCP:
                    return await _tcp(probe.target)
                case ProbeKind.REDIS:
                    return await _redis(probe.target, probe.password)
    except (TimeoutError, OSError, EOFError, grpc.aio.AioRpcError):
        return Health.UNREACHABLE


async def wait_healthy(probe: Probe) -> None:
    """Ask until the answer is HEALTHY; the caller bounds the wait."""
    while await check(probe) is not Health.HEALTHY:  # noqa: ASYNC110 - another process has no event to wait for
        await asyncio.sleep(_POLL_SECONDS)


async def _grpc(target: str) -> Health:
    async with grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest())
    serving = reply.status == health_pb2.HealthCheckResponse.SERVING
    return Health.HEALTHY if serving else Health.NOT_SERVING


async def _http(target: str) -> Health:
    address, _, path = target.partition("/")
    reader, writer = await _connect(address)
    try:
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        status_line = await reader.readline()
    finally:
        await _close(writer)
    if not status_line:
        return Health.UNREACHABLE
    return Health.HEALTHY if status_line.split()[1:2] == [b"200"] else Health.NOT_SERVING


async def _tcp(target: str) -> Health:
    _, writer = await _connect(target)
    await _close(writer)
    return Health.HEALTHY


async def _redis(target: str, password: str) -> Health:
    """Whether it answers PING; a server that still loads its data answers with an error."""
    reader, writer = await _connect(target)
    try:
        if password:
            writer.write(_command("AUTH", password))
            await reader.readline()  # a password that is wrong shows in the next answer
        writer.write(_command("PING"))
        answer = await reader.readline()
    finally:
        await _close(writer)
    if not answer:
        return Health.UNREACHABLE
    return Health.HEALTHY if answer == b"+PONG\r\n" else Health.NOT_SERVING


def _command(*words: str) -> bytes:
    """A command as an array of bulk strings (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the peer may have reset what is being closed
        await writer.wait_closed()
