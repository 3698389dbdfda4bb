"""A gRPC server as small as can be, in the place of a service: health, drain on SIGTERM, and any unary call.

A call is answered with the server's name, its pid and the metadata it came with, as JSON. Environment: STAND_IN_PORT,
STAND_IN_NAME, STAND_IN_DRAIN (seconds to serve on after SIGTERM), STAND_IN_DELAY (seconds a call takes).
SIGUSR1 says NOT_SERVING and serves on; SIGUSR2 says SERVING again.
"""

from __future__ import annotations  # grpc's classes take type arguments in its stubs only

import asyncio
import json
import os
import signal
import sys
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
OPTIONS = [
    ("grpc.so_reuseport", 0),
    # As a service has them: Envoy pings.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class AnyCall(grpc.GenericRpcHandler):
    def __init__(self, name: str, delay: float) -> None:
        self._name = name
        self._delay = delay

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        if handler_call_details.method.startswith("/grpc."):
            return None
        return grpc.unary_unary_rpc_method_handler(self._answer)

    async def _answer(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await asyncio.sleep(self._delay)
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        seen = {"name": self._name, "pid": os.getpid(), "size": len(request)}
        return json.dumps({**seen, "metadata": {key: str(value) for key, value in metadata.items()}}).encode()


async def main() -> None:
    port, name = os.environ["STAND_IN_PORT"], os.environ.get("STAND_IN_NAME", "stand-in")
    server = grpc.aio.server(options=OPTIONS)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_generic_rpc_handlers((AnyCall(name, float(os.environ.get("STAND_IN_DELAY", "0"))),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"{name} listens on {port}", flush=True)

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    changes: asyncio.Queue[int] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, changes.put_nowait, NOT_SERVING)
    loop.add_signal_handler(signal.SIGUSR2, changes.put_nowait, SERVING)

    async def follow() -> None:
        while True:
            await servicer.set("", await changes.get())

    following = asyncio.create_task(follow())
    await stop.wait()
    following.cancel()
    await servicer.set("", NOT_SERVING)
    await asyncio.sleep(float(os.environ.get("STAND_IN_DRAIN", "0")))
    await server.stop(2.0)


if __name__ == "__main__":
    if os.environ.get("STAND_IN_FAIL"):
        sys.exit("cannot start: " + os.environ["STAND_IN_FAIL"])
    asyncio.run(main())
