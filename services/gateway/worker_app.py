"""Composition root of a worker: the gateway's other role, which does jobs and answers to nobody."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio

from services.chassis.app import App, Build, StartupError
from services.chassis.health import Health
from services.gateway.jobs.wiring import working
from services.gateway.settings import GatewaySettings
from services.gateway.wiring import open_core


def build(settings: GatewaySettings) -> Build:
    """A worker, wired by the gateway's settings."""

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        if settings.redis_url is None:
            raise StartupError("a worker needs SCIC_GATEWAY_REDIS_URL: jobs wait in Redis")
        async with AsyncExitStack() as stack:
            core = await stack.enter_async_context(open_core(settings))
            await stack.enter_async_context(
                working(
                    core.queue,
                    core.signals,
                    core.keys,
                    core.recording,
                    core.ingester,
                    places=settings.worker_jobs,
                    lease_seconds=settings.job_lease_seconds,
                    grace_seconds=settings.grace_seconds,
                )
            )
            # As of a gateway, stages and Redis are no components of its health: while they are away it waits for them.
            health.component("keys").up()
            yield App(name="worker", register=_nothing, service_names=())

    return lifetime


def _nothing(server: grpc.aio.Server) -> None:
    """A worker has no API: its server answers for its health alone."""
