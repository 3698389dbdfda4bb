"""The page's HTTP server: static files for everybody, records for who has a key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler

from services.gateway.callers.principal import KeyRing
from services.gateway.ledger.ports import Records
from services.gateway.page.assets import Asset, read_assets
from services.gateway.page.confinement import confine
from services.gateway.page.observation import observed
from services.gateway.page.records import RecordRoutes

_HEALTH = "/ledger/healthz"
_SHUTDOWN_SECONDS = 5.0
"""Time that requests under way have when the server stops; those that are cut off Envoy sends to another gateway."""


@asynccontextmanager
async def page(host: str, port: int, keys: KeyRing, ledger: Records) -> AsyncIterator[int]:
    """Serve the page on the present event loop; yields the bound port (`port` 0 takes a free one).

    Only GET and HEAD are answered. Raises OSError when the port cannot be had.
    """
    app = web.Application(middlewares=[observed])
    app.on_response_prepare.append(confine)
    app.router.add_get(_HEALTH, _healthy)
    for path, asset in (await asyncio.to_thread(read_assets)).items():
        app.router.add_get(path, _static(asset))
    RecordRoutes(keys, ledger).add_routes(app.router)
    # The chassis stops the process, and what a request was is logged by `observed`.
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _static(asset: Asset) -> Handler:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=asset.body, content_type=asset.content_type, charset="utf-8")

    return reply
