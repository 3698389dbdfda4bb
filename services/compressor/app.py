"""Composition root of the compressor."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing

import grpc.aio
from openai import AsyncOpenAI

from scic.compressor.v1 import compressor_service_pb2, compressor_service_pb2_grpc
from services.chassis.app import App, Build
from services.chassis.health import Health
from services.compressor.preparation import Preparation
from services.compressor.servicer import CompressorServicer
from services.compressor.settings import CompressorSettings
from services.compressor.summary.openai_summariser import OpenAiSummariser
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
        async with AsyncExitStack() as stack:
            preparation = stack.enter_context(closing(Preparation(encoder)))
            executor = stack.enter_context(ThreadPoolExecutor(2, "compression"))
            summariser = _summariser(settings, stack)

            def register(server: grpc.aio.Server) -> None:
                servicer = CompressorServicer(preparation, executor, summariser, settings.summary_timeout_seconds)
                compressor_service_pb2_grpc.add_CompressorServiceServicer_to_server(servicer, server)

            name = compressor_service_pb2.DESCRIPTOR.services_by_name["CompressorService"].full_name
            yield App(name="compressor", register=register, service_names=(name,))

    return lifetime


def _summariser(settings: CompressorSettings, stack: AsyncExitStack) -> OpenAiSummariser | None:
    if not settings.summary_model:
        return None
    # Without a key the client would take one from the environment of whoever started us.
    key = settings.summary_api_key.get_secret_value() if settings.summary_api_key else "none"
    client = AsyncOpenAI(base_url=settings.summary_url, api_key=key, timeout=settings.summary_timeout_seconds)
    stack.push_async_callback(client.close)
    return OpenAiSummariser(client, settings.summary_model, settings.summary_timeout_seconds)
