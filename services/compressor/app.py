"""Composition root of the compressor."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing

import grpc.aio

from scic.compressor.v1 import compressor_service_pb2, compressor_service_pb2_grpc
from services.chassis.app import App, Build
from services.chassis.health import Health
from services.compressor.preparation import Preparation
from services.compressor.servicer import CompressorServicer
from services.compressor.settings import CompressorSettings
from services.text.encoder import Encoder
from services.text.model import model_file
from services.text.tokens import ENCODING_NAMES, encoding_for


def build(settings: CompressorSettings) -> Build:
    """The compressor, wired by its settings."""

    @asynccontextmanager
    async def lifetime(health: Health) -> AsyncIterator[App]:
        encoder_health, encodings = health.component("encoder"), health.component("encodings")
        await asyncio.gather(*(asyncio.to_thread(encoding_for, name) for name in ENCODING_NAMES))
        encodings.up()
        encoder = await asyncio.to_thread(lambda: Encoder.load(model_file(settings.model_dir)))
        encoder_health.up()
        with closing(Preparation(encoder)) as preparation, ThreadPoolExecutor(2, "compression") as executor:

            def register(server: grpc.aio.Server) -> None:
                servicer = CompressorServicer(preparation, executor)
                compressor_service_pb2_grpc.add_CompressorServiceServicer_to_server(servicer, server)

            name = compressor_service_pb2.DESCRIPTOR.services_by_name["CompressorService"].full_name
            yield App(name="compressor", register=register, service_names=(name,))

    return lifetime
