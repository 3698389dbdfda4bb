"""The operators' HTTP port: /metrics for Prometheus, /healthz for people and probes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import asynccontextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from services.chassis.health import Health


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # Not WSGIServer's: that looks the host's name up in the DNS, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a scrape leaves a connection in TIME_WAIT
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Scrapes are not news."""


@asynccontextmanager
async def operators_endpoint(
    host: str, port: int, *, registry: CollectorRegistry, health: Health
) -> AsyncIterator[int]:
    """Serve /metrics and /healthz from a thread of their own, so that they answer while the event loop is busy.

    Yields the bound port (`port` 0 takes a free one). Raises OSError when the port cannot be had.
    """
    httpd = make_server(host, port, _application(registry, health), server_class=_Server, handler_class=_Quiet)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), name="operators-endpoint", daemon=True)
    thread.start()
    try:
        yield httpd.server_port
    finally:
        await asyncio.to_thread(httpd.shutdown)
        thread.join()
        httpd.server_close()


def _application(registry: CollectorRegistry, health: Health) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app(registry)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            body: Iterable[bytes] = metrics(environ, start_response)
            return body
        if path != "/healthz":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics and /healthz\n"]
        view = health.view()
        status = "200 OK" if view["status"] == "SERVING" else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(view).encode() + b"\n"]

    return application
