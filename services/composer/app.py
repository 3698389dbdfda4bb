"""Composition root of the composer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio

from scic.composer.v1 import composer_service_pb2, composer_service_pb2_grpc
from services.chassis.app import App, Build
from services.chassis.health import Health
from services.composer.servicer import ComposerServicer
from services.composer.settings import ComposerSettings
from services.text.tokens import ENCODING_NAMES, encoding_for


def build(settings: ComposerSettings) -> Build:
    """The composer, wired by its settings."""
    del settings  # nothing of it is wired today

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        encodings = health.component("encodings")
        # Half a second each: before the first request, not in it.
        await asyncio.gather(*(asyncio.to_thread(encoding_for, name) for name in ENCODING_NAMES))
        encodings.up()

        def register(server: grpc.aio.Server) -> None:
            composer_service_pb2_grpc.add_ComposerServiceServicer_to_server(ComposerServicer(), server)

        name = composer_service_pb2.DESCRIPTOR.services_by_name["ComposerService"].full_name
        yield App(name="composer", register=register, service_names=(name,))

    return lifetime
