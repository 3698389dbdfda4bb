"""The ceiling of a cache hit: a bare grpc.aio hop that answers with as many bytes, behind an Envoy like the mesh's."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import grpc
import grpc.aio
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from benchmarks.ghz import METHOD
from scic.mesh.ports import LOOPBACK

_START_SECONDS = 20.0
_OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.so_reuseport", 0))


@contextmanager
def echo_servers(reply: bytes, *, processes: int) -> Iterator[list[str]]:
    """Runs bare servers that answer BuildContext with `reply`; yields their host:port.

    Messages are bytes on both sides: nothing is parsed. They answer Envoy's health checks, too.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    servers = [context.Process(target=_serve, args=(reply, sender), daemon=True) for _ in range(processes)]
    try:
        for server in servers:
            server.start()
        addresses = []
        for _ in servers:
            if not receiver.poll(_START_SECONDS):
                raise TimeoutError(f"a bare server did not start within {_START_SECONDS:g} s")
            addresses.append(f"{LOOPBACK}:{receiver.recv()}")
        yield addresses
    finally:
        for server in servers:
            server.kill()
            server.join()


def _serve(reply: bytes, port: Connection) -> None:
    uvloop.run(_serve_until_killed(reply, port))


async def _serve_until_killed(reply: bytes, port: Connection) -> None:
    async def answer(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return reply

    service, _, method = METHOD.rpartition("/")
    server = grpc.aio.server(options=_OPTIONS)
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    health = health_aio.HealthServicer()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    bound = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    port.send(bound)
    await asyncio.Event().wait()
