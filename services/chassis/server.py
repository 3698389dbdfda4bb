"""Serving: from the first health answer to the last request of a draining server."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import grpc.aio
import uvloop
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from scic.errors import ScicError
from services.chassis import metrics
from services.chassis.app import Build, StartupError
from services.chassis.channel import MAX_MESSAGE_BYTES
from services.chassis.endpoint import operators_endpoint
from services.chassis.health import Health
from services.chassis.interceptors import chain, composed
from services.chassis.logs import configure_logs, get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from services.chassis.settings import ServeSettings

_log = get_logger(__name__)

_CANNOT_START_EXIT_CODE: Final = 2
_BUG_EXIT_CODE: Final = 1

_OPTIONS: Final = (
    # Else two servers share a port without a word, and each gets half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Envoy pings every 15 s, our channels every 30 s; a ping every 10 s is still no "too_many_pings".
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A client that vanished without a word is let go within two minutes.
    ("grpc.keepalive_time_ms", 90_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


def serve(build: Build, settings: ServeSettings) -> None:
    """Serve until SIGTERM or SIGINT; returns after a clean end (exit code 0).

    Exits with code 2 and one sentence on stderr when the service cannot start, with 1 and a trace in the log on a bug.
    """
    service = settings.service_name()
    log_writer = configure_logs(settings.log_level, service=service)
    try:
        uvloop.run(_until_stopped(build, settings))
    except StartupError as error:
        log_writer.flush()
        sys.stderr.write(f"{service}: {error}\n")
        raise SystemExit(_CANNOT_START_EXIT_CODE) from None
    except Exception as error:  # noqa: BLE001  # the log, not the interpreter, tells of a bug
        _log.error("the service failed", exc_info=error)
        raise SystemExit(_BUG_EXIT_CODE) from None


@asynccontextmanager
async def start(build: Build, settings: ServeSettings) -> AsyncIterator[int]:
    """Run a server on the present event loop; yields its port, drains and stops at the end.

    Raises StartupError when a port is taken or `build` cannot get what it stands on.
    """
    health = Health()
    listening = health.component("server")
    async with AsyncExitStack() as stack:
        if settings.metrics_port is not None:
            with _taking(settings.host, settings.metrics_port):
                endpoint = operators_endpoint(
                    settings.host, settings.metrics_port, registry=metrics.REGISTRY, health=health
                )
                metrics_port = await stack.enter_async_context(endpoint)
                _log.info("metrics", host=settings.host, port=metrics_port)
        _probe(settings.host, settings.port)
        try:
            app = await stack.enter_async_context(build(health))
        except (OSError, ScicError) as error:
            raise StartupError(f"cannot start: {error}") from error
        server = grpc.aio.server(
            interceptors=composed(
                chain(
                    *app.interceptors,
                    max_request_bytes=settings.max_request_bytes,
                    log_requests=settings.log_requests,
                )
            ),
            options=_OPTIONS,
        )
        app.register(server)
        health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
        reflection.enable_server_reflection(
            (*app.service_names, grpc_health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        with _taking(settings.host, settings.port):
            port = server.add_insecure_port(_address(settings.host, settings.port))
        await health.announce(app.service_names)
        await server.start()
        listening.up()
        try:
            yield port
        finally:
            try:
                # A stopping server cancels calls that race with it, and nobody retries those: first tell the balancers.
                await health.drain()
                await asyncio.sleep(settings.drain_seconds)
            finally:
                await server.stop(settings.grace_seconds)


async def _until_stopped(build: Build, settings: ServeSettings) -> None:
    up, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with start(build, settings) as port:
            _spare_the_collector()
            up.set()
            _log.info("serving", host=settings.host, port=port)
            await stop.wait()
            _log.info("draining", seconds=settings.drain_seconds)
        _log.info("stopped")

    life = asyncio.create_task(live())

    def on_signal() -> None:
        # During start-up there is nothing to drain, and what it waits for may never come.
        if not up.is_set() and not stop.is_set():
            life.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    try:
        await life
    except asyncio.CancelledError:
        _log.info("stopped during start-up")


def _spare_the_collector() -> None:
    """Let the garbage collector look at what requests make, not again and again at what was loaded for good.

    Messages make thousands of short-lived objects a request; with the default threshold of 700 each request would pay
    for several passes, and for a scan of every module and table now and then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@contextmanager
def _taking(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # grpc raises the latter
        raise StartupError(f"cannot listen on {_address(host, port)}: {_cause(error)}") from error


def _probe(host: str, port: int) -> None:
    """See that the port can be had before anything expensive is loaded, and before grpc prints pages about it."""
    with _taking(host, port), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
